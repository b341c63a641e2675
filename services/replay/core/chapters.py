"""The story of one workload, as values: its sessions, what changed its state and why, and what lay between.

A change is a state that the processor wrote to ``muster.workloads``; all the rest is summed up between two of them.
"""

from dataclasses import dataclass
from typing import NamedTuple

from schemas.events import Introduction
from schemas.workloads import Presence
from services.processor.core.rows import WorkloadRow
from services.processor.core.rules import Rules
from services.replay.core.windows import Picture


class Place(NamedTuple):
    """A record of the partition, and the window that was open (for a tick: that it closed)."""

    offset: int
    timestamp: int
    """The broker's append time, in milliseconds since the epoch."""
    window: int


@dataclass(frozen=True, slots=True)
class Session:
    """One session, numbered from 1 in the order in which they were taken."""

    number: int
    id: str
    begun: Place
    introduction: Introduction
    """The newest one it gave."""
    ended: Place | None = None
    how: str = ""
    """How it ended, in words; empty while it has not."""


@dataclass(frozen=True, slots=True)
class Change:
    """A state written to ``muster.workloads``; None is the tombstone of a forgotten workload."""

    at: Place
    by: str
    """Type of the record: connect, heartbeat, disconnect or tick."""
    session: int
    before: Presence | None
    row: WorkloadRow | None
    words: str

    @property
    def presence(self) -> str:
        """The presence that followed, in a word."""
        return self.row.presence.value if self.row is not None else "forgotten"


@dataclass(frozen=True, slots=True)
class Note:
    """Like records that changed nothing, summed up; or something that befell the whole partition."""

    kind: str
    """``Ignored``, ``Rejected``, ``NotKnown``, or the kind of a notice (Braked, Released, VoidWindow, Overridden)."""
    what: str
    """Type of the records."""
    rule: str
    """The rule that ignored them, or the reason that rejected them."""
    words: str
    first: Place
    last: Place
    count: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """What lay between two changes: accepted records that changed nothing, and the windows that were closed."""

    first: Place
    last: Place
    accepted: int
    picture: Picture | None
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """What the log tells of one workload."""

    key: bytes
    partition: int
    rules: Rules
    start: Place | None
    """The first record of the log; None where it has none."""
    reached: Place | None
    """The last record folded, and the window open after it."""
    whole: bool
    """The log begins at its first record ever: nothing that was is unknown."""
    sessions: tuple[Session, ...]
    telling: tuple[Change | Stretch, ...]
    row: WorkloadRow | None
    missing: str
    """Windows missed so far in succession by a workload that is still connected."""
    braked: bool

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes alone."""
        return tuple(part for part in self.telling if isinstance(part, Change))

    @property
    def why(self) -> Change | None:
        """The change that brought the present presence; None where none is known."""
        last: Change | None = None
        for change in self.changes:
            if last is None or change.presence != last.presence:
                last = change
        return last
