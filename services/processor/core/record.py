"""What goes into the fold and what comes out of it, as values."""

from enum import StrEnum
from typing import NamedTuple, Protocol

from schemas.credentials import StsRequest


class Appended(Protocol):
    """What the fold reads of a record of ``muster.events``; what Kafka's client fetched is folded as it is."""

    @property
    def offset(self) -> int:
        """Where it stands in its partition."""

    @property
    def timestamp(self) -> int:
        """The broker's append time, in milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None:
        """The workload, or the control key."""

    @property
    def value(self) -> bytes | None:
        """The event."""


class Record(NamedTuple):
    """A record of one's own making."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Emit(NamedTuple):
    """Write the state of a workload to the same partition of ``muster.workloads``; None is a tombstone."""

    key: bytes
    value: bytes | None


class Store(NamedTuple):
    """Write a row of the presence table; None deletes it."""

    key: bytes
    row: bytes | None


class Reject(NamedTuple):
    """Write a record that could not be taken to ``muster.rejected``."""

    key: bytes | None
    value: bytes
    reason: str


class Rule(StrEnum):
    """Why a well-formed record changes nothing."""

    SUPERSEDED_SESSION = "SupersededSession"
    UNKNOWN_SESSION = "UnknownSession"
    ENDED_SESSION = "EndedSession"
    STALE_SEQUENCE = "StaleSequence"
    TICK_NOT_CURRENT = "TickNotCurrent"
    TICK_TOO_SOON = "TickTooSoon"
    ROLE_NOT_SIGNED = "RoleNotSigned"
    STALE_CONTROL = "StaleControl"


class CheckRole(NamedTuple):
    """Ask STS which role a session has, and append what it says as a ``RoleChecked``."""

    key: bytes
    session: str
    request: StsRequest
    asked: int
    """Offset of the record that claims the role."""


class Ignored(NamedTuple):
    """The record was ignored by rule; counted, nothing more."""

    rule: Rule


class NoticeKind(StrEnum):
    """Events of a whole partition that an operator wants to read in the log."""

    BRAKED = "Braked"
    RELEASED = "Released"
    VOID_WINDOW = "VoidWindow"
    OVERRIDDEN = "Overridden"
    TRUSTED = "Trusted"
    ROLE_REFUSED = "RoleRefused"
    HELD = "Held"


class Notice(NamedTuple):
    """Something an operator should read; for the log."""

    kind: NoticeKind
    words: str


Effect = Emit | Store | Reject | CheckRole | Ignored | Notice
