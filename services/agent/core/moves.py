"""What each move of a session does: the actions of the table in ``session.py``, one function each.

Every action gets the session before the move, the same in its new state, the input and the pacing. Those that say
something to the processor are in ``speaking``.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple

from schemas.events import Introduction
from schemas.registrations import Ended, RefusalReason, Refused, Registered
from services.agent.core.chain import HashChain
from services.agent.core.exchange import (
    Answered,
    Beat,
    DrainSidecar,
    Exit,
    Input,
    Notice,
    Output,
    StartSidecar,
    Topic,
    Wait,
)
from services.agent.core.pacing import Pacing


class State(Enum):
    """Where a session stands."""

    NEW = auto()
    """Nothing was said yet."""
    CONNECTING = auto()
    """The connect was sent; heartbeats go out; no answer yet."""
    REGISTERED = auto()
    REFUSED = auto()
    """The sink said no, and tries again by itself: heartbeats go on."""
    BACKOFF = auto()
    """The registration ended; a new session begins soon."""
    DRAINING = auto()
    """The goodbye was sent, but is not known to be delivered."""
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class AgentSession:
    """All that is known of one agent's sessions; ``used`` are the ids of all it ever had.

    ``tails`` are those of the latest hash chains, newest first, also of earlier processes of this machine;
    ``continues`` those which this session shows: never its own.
    """

    introduction: Introduction
    state: State = State.NEW
    session: str | None = None
    seq: int = 0
    due_ms: int = 0
    introduce_ms: int = 0
    connected_ms: int = 0
    attempt: int = 0
    registration: Registered | None = None
    refusal: Refused | None = None
    unanswered: bool = False
    foreign: str | None = None
    ouster: str | None = None
    """The latest session that was answered as the one which lives under our identity, and is not ours."""
    ousted: bool = False
    """Ours was not answered since."""
    used: frozenset[str] = frozenset()
    tails: tuple[str, ...] = ()
    continues: tuple[str, ...] = ()
    chain: HashChain | None = None
    retries: int = 0
    """Introductions repeated since the processor may not know the session."""

    @property
    def doubtful(self) -> bool:
        """Whether the processor may not know the session: it said nothing, or would not have it."""
        unanswered = self.registration is None and self.refusal is None
        return unanswered or (self.refusal is not None and self.refusal.reason in UNKNOWN_TO_PROCESSOR)

    def introduces(self, now_ms: int) -> bool:
        """Tell whether a heartbeat at this time repeats the introduction, and so wants the credential."""
        return self.state in LIVE and now_ms >= self.introduce_ms


class Step(NamedTuple):
    """The session after an input, and what is to be done, in order."""

    session: AgentSession
    outputs: tuple[Output, ...] = ()


LIVE = frozenset({State.CONNECTING, State.REGISTERED, State.REFUSED})
"""The states in which heartbeats go out."""
UNKNOWN_TO_PROCESSOR = frozenset(
    {RefusalReason.NOT_VERIFIED, RefusalReason.DUPLICATE_IDENTITY, RefusalReason.INVALID_EVENT}
)
"""Refusals by the processor: only an introduction can change its mind. All others are the sink's."""


def nothing(before: AgentSession, moved: AgentSession, given: Input, pacing: Pacing) -> Step:  # noqa: ARG001 - an action
    """Do nothing: the input means nothing in this state."""
    return Step(moved)


def wait_again(before: AgentSession, moved: AgentSession, given: Input, pacing: Pacing) -> Step:  # noqa: ARG001
    """Say again what is awaited: the caller came too soon, or with a session id that was used before."""
    return Step(moved, (Wait(before.due_ms, begin=before.state is State.BACKOFF),))


def registered(before: AgentSession, moved: AgentSession, given: Answered, pacing: Pacing) -> Step:
    """Take the registration; the same one told again is no news."""
    answer = given.answer
    if not isinstance(answer, Registered) or answer == before.registration:
        return Step(replace(moved, ousted=False))
    words = f"registered as {answer.namespace}/{answer.name} (uid {answer.uid})"
    introduce = pacing.next_introduction(given.now_ms, given.chance)
    joined = replace(moved, ousted=False, registration=answer, refusal=None, introduce_ms=introduce)
    return Step(joined, (StartSidecar(answer), Notice(Topic.REGISTERED, words)))


def refused(before: AgentSession, moved: AgentSession, given: Answered, pacing: Pacing) -> Step:
    """Go on without a registration: the answer may change, after introductions that come sooner where they matter."""
    answer = given.answer
    if not isinstance(answer, Refused) or answer == before.refusal:
        return Step(replace(moved, ousted=False))
    notice = Notice(Topic.REFUSED, f"{answer.reason}: {answer.message}; it is tried again without a restart")
    out = replace(moved, ousted=False, registration=None, refusal=answer)
    if out.doubtful and not before.doubtful:
        soon = min(before.introduce_ms, pacing.next_retry(given.now_ms, 0, given.chance))
        out = replace(out, introduce_ms=soon, retries=0)
    return Step(out, (*drain(before), notice))


def ended(before: AgentSession, moved: AgentSession, given: Answered, pacing: Pacing) -> Step:
    """Only a new session can be registered again: it begins after a backoff."""
    answer = given.answer
    if not isinstance(answer, Ended):
        return Step(moved)
    due = pacing.next_attempt(given.now_ms, before.attempt, given.chance)
    words = f"{answer.reason}: {answer.message}; a new session begins in {due - given.now_ms} ms"
    over = replace(moved, registration=None, due_ms=due, attempt=before.attempt + 1)
    return Step(over, (*drain(before), Wait(due, begin=True), Notice(Topic.ENDED, words)))


def foreign(before: AgentSession, moved: AgentSession, given: Answered, pacing: Pacing) -> Step:
    """Say once that somebody else is answered under our key; if that one took our place, begin anew in a while."""
    answer = given.answer
    if answer.session in before.used:
        return Step(moved)
    notices: tuple[Output, ...] = ()
    if answer.session != before.foreign:
        words = (
            f"session {answer.session} was answered under our identity: a predecessor's late answer, "
            "or another agent runs with the same identity"
        )
        notices = (Notice(Topic.SUPERSEDED, words),)
    out = replace(moved, foreign=answer.session)
    joined = not (isinstance(answer, Refused) and answer.reason in UNKNOWN_TO_PROCESSOR)
    if joined and answer.session != before.ouster:
        # Ours may be superseded, and is never heard again then; a predecessor's late answer is followed by ours.
        soon = min(before.introduce_ms, pacing.next_retry(given.now_ms, 0, given.chance))
        out = replace(out, ouster=answer.session, ousted=True, introduce_ms=soon)
    return Step(out, notices)


def begin_anew(before: AgentSession, moved: AgentSession, given: Beat, pacing: Pacing) -> Step:
    """Give up a session in whose place another one lives: the next has its turn once that one is absent."""
    due = pacing.next_attempt(given.now_ms, before.attempt, given.chance)
    words = f"session {before.ouster} took our session's place; a new session begins in {due - given.now_ms} ms"
    over = replace(moved, registration=None, ousted=False, due_ms=due, attempt=before.attempt + 1)
    return Step(over, (*drain(before), Wait(due, begin=True), Notice(Topic.SUPERSEDED, words)))


def leave(before: AgentSession, moved: AgentSession, given: Input, pacing: Pacing) -> Step:  # noqa: ARG001
    """Leave: everything said was delivered."""
    return Step(moved, (Exit(clean=True),))


def give_up(before: AgentSession, moved: AgentSession, given: Input, pacing: Pacing) -> Step:  # noqa: ARG001
    """Leave although the goodbye could not be delivered in time."""
    return Step(moved, (Exit(clean=False),))


def drain(before: AgentSession) -> tuple[Output, ...]:
    """Return what ends the sidecar, if it was started."""
    return (DrainSidecar(),) if before.registration else ()
