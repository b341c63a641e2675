"""The session of an agent as a table: what it does next follows from its state and from what it is given, alone.

``TABLE`` names the next state and the action for every kind of input in every state; ``step`` classifies an input
and looks it up. Times, chance and session ids come in as values (DESIGN.md, rules 1 and 3).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum, auto
from typing import Any, NamedTuple

from schemas.registrations import Refused, Registered
from services.agent.core import moves, speaking
from services.agent.core.exchange import Answered, Beat, Begin, Input, Stop
from services.agent.core.moves import AgentSession, State, Step
from services.agent.core.pacing import Pacing


class Kind(Enum):
    """What an input amounts to for a session."""

    BEGIN = auto()
    BEAT = auto()
    OUSTED = auto()
    """A Beat of a session in whose place another one lives, when it would introduce itself again."""
    EARLY = auto()
    """A Begin or Beat before its time, or a Begin with a session id that was used before."""
    REGISTERED = auto()
    REFUSED = auto()
    ENDED = auto()
    FOREIGN = auto()
    """An answer to another session."""
    STOP = auto()
    FLUSHED = auto()


Action = Callable[[AgentSession, AgentSession, Any, Pacing], Step]


class Cell(NamedTuple):
    """Where an input leads, and what it brings about."""

    state: State
    action: Action = moves.nothing


_NEW, _CONNECTING, _REGISTERED, _REFUSED, _BACKOFF, _DRAINING, _CLOSED = State
_GOODBYE = Cell(_DRAINING, speaking.goodbye)
_TO_REGISTERED = Cell(_REGISTERED, moves.registered)
_TO_REFUSED = Cell(_REFUSED, moves.refused)
_TO_BACKOFF = Cell(_BACKOFF, moves.ended)


def _live(state: State) -> Mapping[Kind, Cell]:
    """Return the row of a state in which heartbeats go out."""
    return {
        Kind.BEGIN: Cell(state),
        Kind.BEAT: Cell(state, speaking.heartbeat),
        Kind.OUSTED: Cell(_BACKOFF, moves.begin_anew),
        Kind.EARLY: Cell(state, moves.wait_again),
        Kind.REGISTERED: _TO_REGISTERED,
        Kind.REFUSED: _TO_REFUSED,
        Kind.ENDED: _TO_BACKOFF,
        Kind.FOREIGN: Cell(state, moves.foreign),
        Kind.STOP: _GOODBYE,
        Kind.FLUSHED: Cell(state),
    }


def _deaf(state: State, **cells: Cell) -> Mapping[Kind, Cell]:
    """Return the row of a state in which only the inputs named do anything."""
    return {kind: cells.get(kind.name, Cell(state)) for kind in Kind}


TABLE: Mapping[State, Mapping[Kind, Cell]] = {
    _NEW: _deaf(_NEW, BEGIN=Cell(_CONNECTING, speaking.connect), STOP=Cell(_CLOSED, moves.leave)),
    _CONNECTING: _live(_CONNECTING),
    _REGISTERED: _live(_REGISTERED),
    _REFUSED: _live(_REFUSED),
    _BACKOFF: _deaf(
        _BACKOFF,
        BEGIN=Cell(_CONNECTING, speaking.connect),
        EARLY=Cell(_BACKOFF, moves.wait_again),
        STOP=_GOODBYE,
    ),
    _DRAINING: _deaf(
        _DRAINING,
        BEAT=Cell(_CLOSED, moves.give_up),
        EARLY=Cell(_DRAINING, moves.wait_again),
        FLUSHED=Cell(_CLOSED, moves.leave),
    ),
    _CLOSED: _deaf(_CLOSED),
}


def step(session: AgentSession, given: Input, pacing: Pacing) -> Step:
    """Return the session after ``given``, and what is to be done. Total: every input has an outcome in every state."""
    cell = TABLE[session.state][classify(session, given)]
    return cell.action(session, replace(session, state=cell.state), given, pacing)


def classify(session: AgentSession, given: Input) -> Kind:
    """Say what an input amounts to for this session."""
    match given:
        case Begin(now_ms=now_ms, session=fresh):
            return Kind.EARLY if now_ms < session.due_ms or fresh in session.used else Kind.BEGIN
        case Beat(now_ms=now_ms):
            return Kind.EARLY if now_ms < session.due_ms else _classify_beat(session, now_ms)
        case Answered(answer=answer):
            return _classify_answer(session, answer)
    return Kind.STOP if isinstance(given, Stop) else Kind.FLUSHED


def _classify_beat(session: AgentSession, now_ms: int) -> Kind:
    return Kind.OUSTED if session.ousted and session.introduces(now_ms) else Kind.BEAT


def _classify_answer(session: AgentSession, answer: object) -> Kind:
    if getattr(answer, "session", None) != session.session:
        return Kind.FOREIGN
    if isinstance(answer, Registered):
        return Kind.REGISTERED
    return Kind.REFUSED if isinstance(answer, Refused) else Kind.ENDED
