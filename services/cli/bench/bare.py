"""The bound above: a consumer that fetches the log and looks at nothing. Run as a process of its own."""

import asyncio
import sys

import uvloop

from schemas.topics import EVENTS
from services.cli.bench.sampling import Report, Task
from services.runtime import kafka
from services.runtime.config import KafkaSettings

CHUNK = 2000
"""Records taken at once, as the processor does."""


async def _read(task: Task) -> None:
    settings = KafkaSettings(bootstrap_servers=task.bootstrap_servers)
    consumer = await kafka.reader(settings, EVENTS)
    report = Report(task.records)
    while not report.done:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=CHUNK)).values():
            report.add(len(records))
    await consumer.stop()


def main() -> None:
    """Read what the task on the command line says."""
    task = Task.parse(sys.argv[-1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_read(task))


if __name__ == "__main__":
    main()
