"""How a contestant is told what to do and says how far it came: one line of JSON each way."""

import json
import os
import time
from typing import NamedTuple, Self

from services.cli.bench.figures import Sample

EVERY_S = 0.1


class Task(NamedTuple):
    """What a contestant has to read: so many records from the log's beginning."""

    bootstrap_servers: str
    records: int
    bundle: str
    """File of the trust bundle that the log names."""

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return the task on a command line."""
        return cls(*json.loads(line))

    def line(self) -> str:
        """Return the task as it stands on a command line."""
        return json.dumps(self)


class Report:
    """Counts records and prints a sample now and then; the last one at the end."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.records = 0
        self._next = 0.0

    @property
    def done(self) -> bool:
        """Whether the task is done."""
        return self.records >= self.wanted

    def add(self, records: int) -> None:
        """Count records that were just processed."""
        self.records += records
        now = time.perf_counter()
        if now >= self._next or self.done:
            self._next = now + EVERY_S
            # Not sys.stdout, which Faust takes for its log.
            os.write(1, json.dumps(Sample(now, time.process_time(), self.records)).encode() + b"\n")
