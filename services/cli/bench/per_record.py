"""The bound below: the same fold in a plain Faust agent, record by record. Run as a process of its own."""

import logging
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import faust

from schemas.topics import EVENTS, WORKLOADS
from services.cli.bench.sampling import Report, Task
from services.identity.given import GivenBundles
from services.identity.loading import load
from services.processor.core.record import Emit, Record, Store
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules

_RAW = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}


def application(task: Task, rules: Rules) -> faust.App:
    """Return a Faust app as its manual would have it, with a name and so a state of its own."""
    app = faust.App(
        f"bench-per-record-{uuid.uuid4()}",
        broker=f"kafka://{task.bootstrap_servers}",
        store="memory://",
        topic_partitions=4,
        table_standby_replicas=0,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=2000,
        datadir=os.environ.get("TMPDIR", "/tmp") + "/muster-bench",  # noqa: S108 - the memory store writes nothing there
    )
    events = app.topic(EVENTS, **_RAW)
    outcome = app.topic(WORKLOADS, **_RAW)
    table: Any = app.Table("presence", key_type=bytes, value_type=bytes, partitions=4)
    rolls: dict[int, Roll] = {}
    report = Report(task.records)
    trust = GivenBundles([load(Path(task.bundle))])

    async def fold(stream: Any) -> None:  # noqa: ANN401 - Faust has no types here
        async for event in stream.events():
            message = event.message
            roll = rolls.setdefault(message.partition, Roll(message.partition, rules, trust=trust))
            record = Record(message.offset, int(message.timestamp * 1000), message.key, message.value)
            for effect in roll.fold(record):
                if isinstance(effect, Emit):
                    await outcome.send(key=effect.key, value=effect.value, partition=message.partition)
                elif isinstance(effect, Store) and effect.row is not None:
                    table[effect.key] = effect.row
            report.add(1)
            if report.done:
                os._exit(0)

    app.agent(events)(fold)
    return app


def main() -> None:
    """Fold what the task on the command line says."""
    logging.disable(logging.DEBUG)
    app = application(Task.parse(sys.argv.pop()), Rules(window_ms=100))
    sys.argv[1:] = ["--loop", "uvloop", "worker", "--without-web", "--loglevel", "warn"]
    app.main()


if __name__ == "__main__":
    main()
