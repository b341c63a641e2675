"""What each move of a session does: the actions of the table in ``session.py``, one function each.

Every action gets the session before the move, the same in its new state, the input and the pacing.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple

from schemas.events import Connect, Disconnect, Heartbeat, Introduction
from schemas.registrations import Ended, Refused, Registered
from services.agent.core.exchange import (
    Answered,
    Beat,
    Begin,
    DrainSidecar,
    Exit,
    Input,
    Notice,
    Output,
    Send,
    StartSidecar,
    Stop,
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
    """All that is known of one agent's sessions; ``used`` are the ids of all it ever had."""

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
    used: frozenset[str] = frozenset()


class Step(NamedTuple):
    """The session after an input, and what is to be done, in order."""

    session: AgentSession
    outputs: tuple[Output, ...] = ()


LIVE = frozenset({State.CONNECTING, State.REGISTERED, State.REFUSED})
"""The states in which heartbeats go out."""


def nothing(before: AgentSession, moved: AgentSession, given: Input, pacing: Pacing) -> Step:  # noqa: ARG001 - an action
    """Do nothing: the input means nothing in this state."""
    return Step(moved)


def wait_again(before: AgentSession, moved: AgentSession, given: Input, pacing: Pacing) -> Step:  # noqa: ARG001
    """Say again what is awaited: the caller came too soon, or with a session id that was used before."""
    return Step(moved, (Wait(before.due_ms, begin=before.state is State.BACKOFF),))


def connect(before: AgentSession, moved: AgentSession, given: Begin, pacing: Pacing) -> Step:
    """Begin a session: everything of the last one is forgotten but that its id was used."""
    due = pacing.next_heartbeat(given.now_ms, given.chance)
    begun = replace(
        moved,
        session=given.session,
        seq=1,
        due_ms=due,
        introduce_ms=pacing.next_introduction(given.now_ms, given.chance),
        connected_ms=given.now_ms,
        registration=None,
        refusal=None,
        unanswered=False,
        used=before.used | {given.session},
    )
    event = Connect(session=given.session, seq=0, workload=before.introduction, sent_at=given.sent_at)
    return Step(begun, (Send(event), Wait(due)))


def heartbeat(before: AgentSession, moved: AgentSession, given: Beat, pacing: Pacing) -> Step:
    """Send a heartbeat; every now and then it repeats the introduction, so that lost state heals."""
    introduces = given.now_ms >= before.introduce_ms
    waited_ms = given.now_ms - before.connected_ms
    unanswered = before.state is State.CONNECTING and waited_ms >= pacing.patience_ms
    due = pacing.next_heartbeat(given.now_ms, given.chance)
    event = Heartbeat(
        session=before.session or "",
        seq=before.seq,
        workload=before.introduction if introduces else None,
        sent_at=given.sent_at,
    )
    outputs: tuple[Output, ...] = (Send(event), Wait(due))
    if unanswered and not before.unanswered:
        words = f"no answer for {waited_ms // 1000} s: are the processor and the sink running? Heartbeats go on"
        outputs = (*outputs, Notice(Topic.UNANSWERED, words))
    beaten = replace(
        moved,
        seq=before.seq + 1,
        due_ms=due,
        introduce_ms=pacing.next_introduction(given.now_ms, given.chance) if introduces else before.introduce_ms,
        # A registration that lasted a heartbeat was no failed attempt.
        attempt=0 if before.state is State.REGISTERED else before.attempt,
        unanswered=unanswered,
    )
    return Step(beaten, outputs)


def registered(before: AgentSession, moved: AgentSession, given: Answered, pacing: Pacing) -> Step:  # noqa: ARG001
    """Take the registration; the same one told again is no news."""
    answer = given.answer
    if not isinstance(answer, Registered) or answer == before.registration:
        return Step(moved)
    words = f"registered as {answer.namespace}/{answer.name} (uid {answer.uid})"
    return Step(
        replace(moved, registration=answer, refusal=None), (StartSidecar(answer), Notice(Topic.REGISTERED, words))
    )


def refused(before: AgentSession, moved: AgentSession, given: Answered, pacing: Pacing) -> Step:  # noqa: ARG001
    """Go on without a registration: the sink tries again by itself, and the answer may change."""
    answer = given.answer
    if not isinstance(answer, Refused) or answer == before.refusal:
        return Step(moved)
    notice = Notice(Topic.REFUSED, f"{answer.reason}: {answer.message}; the sink tries again by itself")
    return Step(replace(moved, registration=None, refusal=answer), (*_drain(before), notice))


def ended(before: AgentSession, moved: AgentSession, given: Answered, pacing: Pacing) -> Step:
    """Only a new session can be registered again: it begins after a backoff."""
    answer = given.answer
    if not isinstance(answer, Ended):
        return Step(moved)
    due = pacing.next_attempt(given.now_ms, before.attempt, given.chance)
    words = f"{answer.reason}: {answer.message}; a new session begins in {due - given.now_ms} ms"
    over = replace(moved, registration=None, due_ms=due, attempt=before.attempt + 1)
    return Step(over, (*_drain(before), Wait(due, begin=True), Notice(Topic.ENDED, words)))


def foreign(before: AgentSession, moved: AgentSession, given: Answered, pacing: Pacing) -> Step:  # noqa: ARG001
    """Say once that somebody else is answered under our key, and change nothing: agents don't fight."""
    session = given.answer.session
    if session in before.used or session == before.foreign:
        return Step(moved)
    words = (
        f"session {session} was answered under our identity: a predecessor's late answer, "
        "or another agent runs with the same identity"
    )
    return Step(replace(moved, foreign=session), (Notice(Topic.SUPERSEDED, words),))


def goodbye(before: AgentSession, moved: AgentSession, given: Stop, pacing: Pacing) -> Step:
    """Say goodbye, and wait a bounded time for it to be delivered."""
    due = given.now_ms + pacing.drain_ms
    event = Disconnect(session=before.session or "", seq=before.seq, sent_at=given.sent_at)
    gone = replace(moved, seq=before.seq + 1, due_ms=due, registration=None)
    return Step(gone, (Send(event), *_drain(before), Wait(due)))


def leave(before: AgentSession, moved: AgentSession, given: Input, pacing: Pacing) -> Step:  # noqa: ARG001
    """Leave: everything said was delivered."""
    return Step(moved, (Exit(clean=True),))


def give_up(before: AgentSession, moved: AgentSession, given: Input, pacing: Pacing) -> Step:  # noqa: ARG001
    """Leave although the goodbye could not be delivered in time."""
    return Step(moved, (Exit(clean=False),))


def _drain(before: AgentSession) -> tuple[Output, ...]:
    return (DrainSidecar(),) if before.registration else ()
