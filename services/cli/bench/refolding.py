"""A replay of the whole log, as ``muster replay`` folds it, printing nothing. Run as a process of its own."""

import asyncio
import sys
from pathlib import Path

import uvloop

from schemas.topics import EVENTS
from services.cli.bench.contest import WINDOW_MS
from services.cli.bench.sampling import Report, Task
from services.identity.given import GivenBundles
from services.identity.loading import load
from services.processor.core.rules import Rules
from services.replay.chunks import Chunk
from services.replay.cluster import home, opened
from services.replay.refold import Refold
from services.replay.selection import Selection
from services.runtime.config import KafkaSettings


async def _replay(task: Task) -> None:
    settings = KafkaSettings(bootstrap_servers=task.bootstrap_servers)
    trust = GivenBundles([load(Path(task.bundle))])
    report = Report(task.records)
    async with opened(settings, EVENTS, Selection()) as live:
        refold = Refold(Rules(window_ms=WINDOW_MS), home(live.partitions), trust=trust)
        async for item in live.items():
            for _ in refold.take(item):
                pass
            if isinstance(item, Chunk):
                report.add(len(item.records))


def main() -> None:
    """Replay what the task on the command line says."""
    task = Task.parse(sys.argv[-1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_replay(task))


if __name__ == "__main__":
    main()
