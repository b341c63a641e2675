"""What a session is given and what it wants done, as values: no reference to a clock, a socket or a file in them."""

from datetime import datetime
from enum import Enum
from typing import NamedTuple

from schemas.credentials import Credential
from schemas.events import AgentEvent
from schemas.registrations import Ended, Refused, Registered


class Begin(NamedTuple):
    """Time to begin a session with an id never used before; ``chance`` is in [0, 1), ``sent_at`` for display only.

    ``secret``, 32 bytes that nobody can guess, ends the session's hash chain; ``credential`` is as it is now. Who has
    no credential has nothing to prove, and needs no chain.
    """

    now_ms: int
    chance: float
    session: str
    sent_at: datetime | None = None
    credential: Credential | None = None
    secret: bytes = b""


class Beat(NamedTuple):
    """The awaited time has come; ``credential`` if an introduction is due, ``secret`` for the next hash chain."""

    now_ms: int
    chance: float
    sent_at: datetime | None = None
    credential: Credential | None = None
    secret: bytes = b""


class Answered(NamedTuple):
    """An answer was read under our key."""

    now_ms: int
    chance: float
    answer: Registered | Refused | Ended


class Stop(NamedTuple):
    """The agent is to leave."""

    now_ms: int
    sent_at: datetime | None = None


class Flushed(NamedTuple):
    """Everything sent was delivered, or given up."""


Input = Begin | Beat | Answered | Stop | Flushed


class Remember(NamedTuple):
    """Keep the tails of the latest hash chains, newest first: before anything is sent after this.

    They are all that shows another process of this machine to be the heir of this one's session.
    """

    tails: tuple[str, ...]


class Send(NamedTuple):
    """Publish this event."""

    event: AgentEvent


class Wait(NamedTuple):
    """Come back at this time; replaces every earlier Wait. ``begin``: with a Begin, else with a Beat."""

    until_ms: int
    begin: bool = False


class StartSidecar(NamedTuple):
    """Write the bootstrap this registration gives and (re)start the sidecar with it."""

    registered: Registered


class DrainSidecar(NamedTuple):
    """The registration is no more: let the sidecar finish and stop it."""


class Topic(Enum):
    """What a notice is about."""

    REGISTERED = "registered"
    REFUSED = "refused"
    ENDED = "ended"
    UNANSWERED = "unanswered"
    SUPERSEDED = "superseded"


class Notice(NamedTuple):
    """Tell people."""

    topic: Topic
    words: str


class Exit(NamedTuple):
    """The session is closed; ``clean`` if the goodbye was delivered."""

    clean: bool


Output = Remember | Send | Wait | StartSidecar | DrainSidecar | Notice | Exit
