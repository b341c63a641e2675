"""The book of one partition: what is known of its workloads, and how a change of one is taken.

Its one rule: a change is told before it is stored, so that what is stored can always be told again (ADR 0004).
"""

from collections.abc import Callable
from typing import NamedTuple

from schemas.codec import Rejection
from schemas.message import instant
from schemas.rejected import Rejected, RejectReason
from schemas.topics import EVENTS
from services.identity.core.keys import Keys
from services.processor.core.attendance import Attendance
from services.processor.core.chains import Chains
from services.processor.core.record import Appended, Effect, Emit, Reject, Store
from services.processor.core.rows import Hold, PartitionRow, WorkloadRow, encode
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust


class Counts(NamedTuple):
    """How many workloads of the partition are in which presence."""

    connected: int
    unknown: int
    absent: int


class Book:
    """The state of one partition, without the fold that changes it."""

    def __init__(
        self,
        partition: int,
        rules: Rules,
        belongs: Callable[[bytes], bool] = lambda _key: True,
        trust: Trust | None = None,
    ) -> None:
        """``belongs(key)`` tells whether the partitioner sends a key to this partition.

        ``trust`` has the trust bundles that the log names; a log in which nothing is verified needs none.
        """
        self.rules = rules
        self.belongs = belongs
        self.trust = trust
        self.state = PartitionRow(partition)
        self.rows: dict[bytes, WorkloadRow] = {}
        self.attendance = Attendance()
        self.absent: dict[bytes, int] = {}
        """Roll at which each absent workload became so, oldest first."""
        self.removed: dict[bytes, int] = {}
        self.chains = Chains()
        self.trusted: str | None = None
        """Digest of the trust bundle which the log names here."""
        self.keys = Keys()
        """Whose word counts here, by the bundle that the log names."""
        self.named: str | None = None
        """Digest of the bundle that was named last, whether it came into force or not."""
        self.obeyed: dict[str, int] = {}
        """What was signed and counted of late: a hash of what was said, and where its writer saw the log's end."""
        self.resumed = -1
        """Offset of the newest record by which a new owner began; as far as this object has seen."""
        self.void = False
        self.overridden = False
        self.held: dict[str, Hold] = {}
        """Removals that are held, as of the newest record."""

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
        return Counts(len(self.attendance.expected()) - unknown, unknown, len(self.absent))

    def away(self, key: bytes) -> int:
        """Return the roll from which an absent workload's grace counts."""
        return max(self.absent[key], self.state.anew)

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

    def seat(self, key: bytes, seq: int) -> None:
        """Put a workload that is there on the open sheet, and nowhere else."""
        self.attendance.enter(key, seq)
        self.absent.pop(key, None)
        self.removed.pop(key, None)

    def change(self, key: bytes, row: WorkloadRow, effects: list[Effect]) -> None:
        """Take a new state of a workload: tell it, then store it."""
        effects.append(Emit(key, row.outcome()))
        self.keep(key, row, effects)

    def keep(self, key: bytes, row: WorkloadRow, effects: list[Effect]) -> None:
        """Store what changed of a row although nothing is to be told."""
        self.rows[key] = row
        effects.append(Store(key, encode(row)))
