"""The book of one partition: what is known of its workloads, and how a change of one is taken.

Its one rule: a change is told before it is stored, so that what is stored can always be told again (ADR 0004).
"""

from collections.abc import Callable
from typing import NamedTuple

from schemas.codec import Rejection
from schemas.message import instant
from schemas.rejected import Rejected, RejectReason
from schemas.topics import EVENTS
from services.processor.core.attendance import Attendance
from services.processor.core.record import Appended, Effect, Emit, Reject, Store
from services.processor.core.rows import PartitionRow, WorkloadRow, encode
from services.processor.core.rules import Rules


class Counts(NamedTuple):
    """How many workloads of the partition are in which presence."""

    connected: int
    unknown: int
    absent: int


class Book:
    """The state of one partition, without the fold that changes it."""

    def __init__(self, partition: int, rules: Rules, belongs: Callable[[bytes], bool] = lambda _key: True) -> None:
        """``belongs(key)`` tells whether the partitioner sends a key to this partition."""
        self.rules = rules
        self.belongs = belongs
        self.state = PartitionRow(partition)
        self.rows: dict[bytes, WorkloadRow] = {}
        self.attendance = Attendance()
        self.absent: dict[bytes, int] = {}
        """Roll at which each absent workload became so, oldest first."""
        self.removed: dict[bytes, int] = {}
        self.void = False
        self.overridden = False

    @property
    def window(self) -> int:
        """Number of the open window."""
        return self.state.window

    @property
    def braked(self) -> bool:
        """Whether marking absent is suspended."""
        return self.state.braked

    @property
    def counts(self) -> Counts:
        """How many are in which presence; costs a pass over the attendance."""
        unknown = len(self.attendance.unknown)
        return Counts(self.attendance.population() - unknown, unknown, len(self.absent))

    def reject(self, record: Appended, why: Rejection) -> Reject:
        """Return the dead letter of a record."""
        message = Rejected.model_construct(
            reason=RejectReason(why.reason),
            message=why.message,
            by="processor",
            topic=EVENTS,
            partition=self.state.partition,
            offset=record.offset,
            timestamp=instant(record.timestamp),
            key=record.key,
            value=record.value,
        )
        return Reject(record.key, message.to_json(), why.reason)

    def change(self, key: bytes, row: WorkloadRow, effects: list[Effect]) -> None:
        """Take a new state of a workload: tell it, then store it."""
        self.rows[key] = row
        effects.append(Emit(key, row.outcome()))
        effects.append(Store(key, encode(row)))
