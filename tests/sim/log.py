"""Kafka in memory: partitions, append time, per-producer order, compaction; and coroutines run without a loop.

Every ``await turn()`` is a point at which anything may happen to the world, a crash included.
"""

import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, TypeVar

from aiokafka.partitioner import murmur2

T = TypeVar("T")


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Let the world go on."""
    yield


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end without letting the world go on."""
    try:
        while True:
            work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


class Task:
    """A coroutine that is driven turn by turn; closing it is what a crash does to it."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self.work = work

    def advance(self, turns: int) -> tuple[bool, Any]:
        """Go on for so many turns; return whether it ended, and with what. What it raises is raised."""
        try:
            for _ in range(turns):
                self.work.send(None)
        except StopIteration as done:
            return True, done.value
        return False, None


class Rec(NamedTuple):
    """A record; ``timestamp`` is the append time, in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class OutOfRangeError(Exception):
    """No record of this offset is there any more, or yet."""


class NotAnsweredError(Exception):
    """The broker did not answer; it may have done what was asked all the same."""


@dataclass
class Partition:
    """One partition; compaction leaves gaps in the offsets, retention moves ``start`` (the oracle still remembers)."""

    records: list[Rec] = field(default_factory=list)
    start: int = 0
    end: int = 0


class Log:
    """The broker: whoever is not cut off from it may append and read while it is up; tests/contract/test_log.py."""

    def __init__(self, now: Callable[[], int], partitions: int) -> None:
        self.now = now
        self.count = partitions
        self.up = True
        self.mute = False
        """It takes what it is sent, and none of its answers arrives."""
        self.parts: dict[tuple[str, int], Partition] = {}

    @property
    def answers(self) -> bool:
        """Whether anything can be learned from it."""
        return self.up and not self.mute

    def part(self, topic: str, partition: int) -> Partition:
        return self.parts.setdefault((topic, partition), Partition())

    def of(self, key: bytes) -> int:
        """Return the partition of a key, as Kafka's default partitioner has it."""
        return int((murmur2(key) & 0x7FFFFFFF) % self.count)

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Any = (),  # noqa: ANN401
    ) -> int:
        """Append a record; return its offset. Raises NotAnsweredError, with the record written, where it is mute."""
        part = self.part(topic, partition)
        part.records.append(Rec(part.end, self.now(), key, value, tuple(headers)))
        part.end += 1
        if self.mute:
            raise NotAnsweredError(f"{topic}[{partition}]")
        return part.end - 1

    def read(self, topic: str, partition: int, start: int, most: int = 1_000_000) -> list[Rec]:
        """Return records from an offset on; OutOfRangeError where the log does not reach to it."""
        part = self.part(topic, partition)
        if not part.start <= start <= part.end:
            raise OutOfRangeError(f"{topic}[{partition}] has {part.start} to {part.end}, asked for {start}")
        records = part.records
        low = max(0, len(records) - (part.end - start))
        while low > 0 and records[low - 1].offset >= start:
            low -= 1
        return [record for record in records[low : low + most] if record.offset >= start]

    def compact(self, topic: str, lag_ms: int = 0) -> None:
        """Keep the last record of each key, and all from the first that is younger than the topic's lag.

        The newest few are kept as well, as an active segment is.
        """
        for (name, _), part in self.parts.items():
            if name == topic:
                # What only the active segment has overtaken is kept: the cleaner does not look into that one.
                young = (record.offset for record in part.records if record.timestamp > self.now() - lag_ms)
                closed = min(part.end - 3, next(young, part.end))
                last = {record.key: record.offset for record in part.records if record.offset < closed}
                part.records = [r for r in part.records if r.offset >= closed or last[r.key] == r.offset]

    def trim(self, topic: str, partition: int, before: int) -> None:
        """Let retention take what stands before an offset."""
        part = self.part(topic, partition)
        part.start = max(part.start, min(before, part.end))


class Waiting(NamedTuple):
    """A record that its producer was handed and the broker does not have."""

    not_before: int
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Any


class Sender:
    """A producer: order is kept per partition unless ``swap``; a retry whose first try arrived duplicates."""

    def __init__(self, log: Log, rng: Random) -> None:
        self.log, self.rng = log, rng
        self.queues: dict[tuple[str, int], deque[Waiting]] = {}
        self.posted = 0
        self.delivered = 0
        self.unanswered = 0
        """Written, but the broker's answer is awaited still: tried again, it is known as a duplicate."""
        self.delay_ms = 0
        self.twice = 0.0
        self.swap = 0.0
        self.last: Waiting | None = None
        self.late: list[Waiting] = []
        """Requests that a retry overtook: appended after what followed them."""

    def post(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Any = ()) -> None:  # noqa: ANN401
        due = self.log.now() + (self.rng.randrange(self.delay_ms) if self.delay_ms else 0)
        self.queues.setdefault((topic, partition), deque()).append(Waiting(due, topic, partition, key, value, headers))
        self.posted += 1

    def flush(self, most: int) -> None:
        """Deliver up to so many records of each partition."""
        self._hear()
        for queue in self.queues.values():
            for _ in range(self.rng.randint(0, most)):
                if not queue or queue[0].not_before > self.log.now():
                    break
                if len(queue) > 1 and self.rng.random() < self.swap:
                    queue[0], queue[1] = queue[1], queue[0]
                one = queue.popleft()
                self._deliver(one)
                if self.rng.random() < self.twice:
                    late = self.log.now() + self.rng.choice((0, 0, 600, 2500))
                    self.late.append(one._replace(not_before=late))
        for one in [late for late in self.late if late.not_before <= self.log.now()]:
            self.late.remove(one)
            self._append(one)

    def flush_some_topics(self) -> None:
        """Deliver all that waits for some partitions, and nothing for others: each has a request of its own."""
        for queue in self.rng.sample(list(self.queues.values()), len(self.queues)):
            while queue and self.rng.random() < 0.95:
                self._deliver(queue.popleft())
            if self.rng.random() < 0.5:
                break

    def deliver(self, queue: deque[Waiting]) -> None:
        """Deliver all that waits for one partition."""
        while queue:
            self._deliver(queue.popleft())

    def _hear(self) -> None:
        if not self.log.mute:
            self.delivered += self.unanswered
            self.unanswered = 0

    def _deliver(self, one: Waiting) -> None:
        if self._append(one):
            self.delivered += 1
        else:
            self.unanswered += 1

    def _append(self, one: Waiting) -> bool:
        """Append a record; return whether the broker said so."""
        self.last = one
        try:
            self.log.append(one.topic, one.partition, one.key, one.value, one.headers)
        except NotAnsweredError:
            return False
        return True
