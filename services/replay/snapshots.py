"""A snapshot: the state of a log's partitions at some offset, from which a fold can go on as if it had begun at zero.

It holds the rows that the processor stores, and is restored as a new owner restores them (ADR 0004): the fold begins
at ``resume``, some windows before, to rebuild the attendance; what it comes to before ``reached`` was told already.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from schemas.message import Message, Offset, Partition
from services.processor.core.roll import Roll
from services.processor.core.rows import PartitionRow, WorkloadRow, decode, encode, is_partition_key, partition_key
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust

FORMAT = 1


class SnapshotError(Exception):
    """What cannot be used as a snapshot here; the text says why and what to do."""


class Part(Message):
    """One partition: its rows by key, as the processor stores them."""

    partition: Partition
    reached: Offset
    """Offset of the first record of which the rows tell nothing."""
    rows: dict[str, str]
    doubts: tuple[str, ...] = ()
    """What was not certain of it."""


class Snapshot(Message):
    """All partitions, and of which cluster and by which rules."""

    v: Literal[1] = 1
    type: Literal["snapshot"] = "snapshot"
    source: str
    """Where the state came from, in words."""
    cluster: str | None = None
    partitions: Partition | None = None
    """How many the topic has."""
    rules: dict[str, int | float] = Field(default_factory=dict)
    """By which the state came about, where they are known."""
    parts: tuple[Part, ...]

    def fits(self, cluster: str | None, partitions: int | None) -> None:
        """Raise ``SnapshotError`` where the log is another one than that of the snapshot."""
        if None not in {self.cluster, cluster} and self.cluster != cluster:
            raise SnapshotError(f"the snapshot is of cluster {self.cluster}, and the log of {cluster}")
        if None not in {self.partitions, partitions} and self.partitions != partitions:
            raise SnapshotError(f"the snapshot is of {self.partitions} partitions, and the log has {partitions}")


class Begun(NamedTuple):
    """Where a partition is to be read from: offset, and what the state is of."""

    resume: int
    reached: int


def beginnings(snapshot: Snapshot) -> dict[int, Begun]:
    """Return from where each partition is to be read. Raises ``SnapshotError``."""
    return {part.partition: Begun(restored(part, Rules()).resume, part.reached) for part in snapshot.parts}


def restored(
    part: Part, rules: Rules, belongs: Callable[[bytes], bool] = lambda _key: True, trust: Trust | None = None
) -> Roll:
    """Return the roll of a partition. Raises ``SnapshotError`` for rows that no processor of this version stored."""
    try:
        return Roll.restore(part.partition, rules, _raw(part), belongs, trust)
    except ValidationError as cause:
        raise SnapshotError(f"the snapshot's rows of partition {part.partition} cannot be read: {cause}") from None


def part_of(roll: Roll, reached: int, doubts: Iterable[str] = ()) -> Part:
    """Return the state of a roll that has folded everything before ``reached``."""
    partition = roll.state.partition
    rows = {key.decode(): encode(row).decode() for key, row in roll.rows.items()}
    rows[partition_key(partition).decode()] = encode(roll.state).decode()
    return Part(partition=partition, reached=reached, rows=rows, doubts=tuple(doubts))


def part_from(partition: int, rows: Iterable[tuple[bytes, bytes]], doubts: Iterable[str] = ()) -> Part:
    """Return the state that stored rows are of: what they tell of reaches to the newest revision among them."""
    found = dict(rows)
    reached = max((_revision(key, raw) for key, raw in found.items()), default=-1) + 1
    told = {key.decode(): raw.decode() for key, raw in found.items()}
    return Part(partition=partition, reached=reached, rows=told, doubts=tuple(doubts))


def has_roll(rows: Iterable[bytes]) -> bool:
    """Tell whether the row of the partition itself is among these keys."""
    return any(is_partition_key(key) for key in rows)


def _raw(part: Part) -> Iterator[tuple[bytes, bytes]]:
    for key, row in part.rows.items():
        yield key.encode(), row.encode()


def _revision(key: bytes, raw: bytes) -> int:
    row: WorkloadRow | PartitionRow = decode(key, raw)
    return row.revision
