"""The rows of the presence table: what survives the owner of a partition.

One row per workload, written when its state changes, and one per partition, written at each tick.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field, TypeAdapter

from schemas.credentials import Proof
from schemas.events import Introduction
from schemas.message import instant
from schemas.workloads import Presence, Reason, Workload
from services.identity.core.keys import Keys
from services.processor.core.chains import Commitment
from services.processor.core.packed import Packed, StoredProof, unpack


@dataclass(frozen=True, slots=True)
class WorkloadRow:
    """One workload; ``workload`` is its introduction as JSON, which the processor carries and does not read."""

    partition: int
    workload: Packed
    session: str
    seq: int
    """The highest sequence number of the session when this row was written."""
    presence: Presence
    reason: Reason
    message: str
    since: int
    """Broker time, in milliseconds, of the record that brought this presence."""
    revision: int
    """Offset of the record that last changed this row."""
    window: int
    closed: bool = False
    """The session said goodbye or was removed: nothing of it counts any more."""
    away: int = 0
    """The roll (number of counted windows) at which it became absent, or was removed."""
    superseded: tuple[str, ...] = ()
    verified: StoredProof = None
    chain: Commitment | None = None
    seated: bool | None = None
    """Where the newest change was no act of the agent's: whether it had been heard in the window by then."""
    began: int | None = None
    """Offset of the record that began the session; None in rows that are older than this."""
    answered: int = -1
    """Offset of the newest record that claimed a role, of those which STS answered."""
    inherited: bool = False
    """The identity has the role of the session before on this machine, and STS was not heard of this one yet."""
    key: Annotated[bytes, Field(exclude=True)] = b""
    """Its key in the table; the one object that all have who know of the workload."""

    def text(self) -> bytes:
        """Return the introduction as it was told."""
        return unpack(self.workload)

    def introduction(self) -> Introduction:
        """Return the introduction, read."""
        return Introduction.model_validate_json(self.text())

    def continued_by(self, proof: Proof | None) -> bool:
        """Tell whether a proof shows the last link of the session's chain: it is of the same machine then."""
        chain = self.chain
        return chain is not None and proof is not None and any(chain.ends(tail) for tail in proof.continues)

    def outcome(self) -> bytes:
        """Return the message for ``muster.workloads``."""
        return Workload(
            workload=self.introduction(),
            session=self.session,
            presence=self.presence,
            reason=self.reason,
            message=self.message,
            since=instant(self.since),
            partition=self.partition,
            revision=self.revision,
            verified=None if self.verified is None else self.verified.told(),
            window=self.window,
        ).to_json()


@dataclass(frozen=True, slots=True)
class Hold:
    """An operator's order not to remove: who gave it, why, and its broker time in milliseconds."""

    who: str
    why: str
    since: int


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """The state of the roll itself after the tick at offset ``revision``."""

    partition: int
    window: int = 0
    """Number of the open window."""
    rolls: int = 0
    """How many windows counted: neither void nor braked."""
    opened: int | None = None
    """Broker time, in milliseconds, of the tick that opened the window."""
    revision: int = -1
    """Offset of that tick; -1 before the first."""
    resume: int = 0
    """Offset from which a new owner must read to rebuild the attendance: just after the tick before."""
    braked: bool = False
    doubted: int | None = None
    """How many were silent when the brake began to hold; None: it does not, or this was not remembered then."""
    vouched: int = 0
    """An operator said of the silence up to this roll that it was the machines': who was absent by then is dead."""
    anew: int = 0
    """The roll at which a brake last let go by itself: nobody's grace began before it."""
    trust: str | None = None
    """Digest of the trust bundle by which identities are verified; None: they are not (ADR 0010)."""
    keys: Keys = field(default_factory=Keys)
    """Whose word counts, by that bundle: known from the log, whichever bundle is at hand later."""
    ticks: tuple[int, ...] = ()
    """Offsets of the newest ticks that closed windows, where control records are signed."""
    obeyed: dict[str, int] = field(default_factory=dict)
    """What was signed and counted of late (``control``)."""
    overridden: bool = False
    """An operator's order to release the brake came in a void window and waits for the next tick."""
    held: dict[str, Hold] = field(default_factory=dict)
    """Removals that are held, by ``<namespace>/<group>``, or ``EVERYTHING``."""
    missed: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Connected workloads that were not in the last window: how many they missed, and their highest seq."""


_WORKLOAD = TypeAdapter(WorkloadRow)
_PARTITION = TypeAdapter(PartitionRow)
EVERYTHING = "*"
"""The scope of a hold on a whole partition; no group's begins like this."""
_PARTITION_PREFIX = b"#partition/"


def partition_key(partition: int) -> bytes:
    """Return the table key of a partition's own row; no workload's key can begin with ``#``."""
    return _PARTITION_PREFIX + str(partition).encode()


def is_partition_key(key: bytes) -> bool:
    """Tell a partition's row from a workload's."""
    return key.startswith(_PARTITION_PREFIX)


def encode(row: WorkloadRow | PartitionRow) -> bytes:
    """Return the row as it is stored."""
    return (_WORKLOAD if isinstance(row, WorkloadRow) else _PARTITION).dump_json(row)  # type: ignore[arg-type]


def decode(key: bytes, raw: bytes) -> WorkloadRow | PartitionRow:
    """Return a stored row. Raises pydantic.ValidationError for one that this version did not write: crash."""
    if is_partition_key(key):
        return _PARTITION.validate_json(raw)
    return replace(_WORKLOAD.validate_json(raw), key=key)
