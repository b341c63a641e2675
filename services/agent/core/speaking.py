"""What a session says to the processor: connect, heartbeats and the goodbye, each with its link of the hash chain.

Like those in ``moves``, these are actions of the table in ``session.py``. The rules of the chain are those of ADR 0007.
"""

from dataclasses import replace

from schemas.credentials import Credential, Proof
from schemas.events import Connect, Disconnect, Heartbeat
from services.agent.core.chain import HashChain
from services.agent.core.exchange import Beat, Begin, Notice, Output, Remember, Send, Stop, Topic, Wait
from services.agent.core.moves import AgentSession, State, Step, drain
from services.agent.core.pacing import Pacing

TAILS = 4
"""How many tails are kept: a process that dies between keeping one and sending its commitment costs one."""


def connect(before: AgentSession, moved: AgentSession, given: Begin, pacing: Pacing) -> Step:
    """Begin a session: everything of the last one is forgotten but that its id was used, and its chain's tail."""
    due = pacing.next_heartbeat(given.now_ms, given.chance)
    chain = HashChain.of(given.secret, 0) if given.credential is not None else None
    begun = replace(
        moved,
        session=given.session,
        seq=1,
        due_ms=due,
        introduce_ms=pacing.next_retry(given.now_ms, 0, given.chance),
        connected_ms=given.now_ms,
        registration=None,
        refusal=None,
        unanswered=False,
        ousted=False,
        used=before.used | {given.session},
        continues=before.tails,
        chain=chain,
        tails=_with(chain, before.tails),
        retries=0,
    )
    event = Connect(
        session=given.session,
        seq=0,
        workload=before.introduction,
        proof=_proof(begun, given.credential, 0),
        sent_at=given.sent_at,
    )
    return Step(begun, (*_remember(chain, begun), Send(event), Wait(due)))


def heartbeat(before: AgentSession, moved: AgentSession, given: Beat, pacing: Pacing) -> Step:
    """Send a heartbeat; every now and then it repeats the introduction, so that lost state heals."""
    introduces = before.introduces(given.now_ms)
    due = pacing.next_heartbeat(given.now_ms, given.chance)
    renewed = _renewed(before, given)
    beaten = replace(
        moved,
        seq=before.seq + 1,
        due_ms=due,
        # A registration that lasted a heartbeat was no failed attempt.
        attempt=0 if before.state is State.REGISTERED else before.attempt,
        chain=renewed or before.chain,
        tails=_with(renewed, before.tails),
    )
    event = Heartbeat(
        session=before.session or "",
        seq=before.seq,
        link=_link(before),
        chain=renewed.seen_from(before.seq) if renewed else None,
        workload=before.introduction if introduces else None,
        proof=_proof(beaten, given.credential, before.seq) if introduces else None,
        sent_at=given.sent_at,
    )
    if introduces:
        beaten = _introduced(beaten, given, pacing)
    outputs = (*_remember(renewed, beaten), Send(event), Wait(due))
    return _patient(beaten, outputs, given.now_ms, pacing)


def goodbye(before: AgentSession, moved: AgentSession, given: Stop, pacing: Pacing) -> Step:
    """Say goodbye, and wait a bounded time for it to be delivered."""
    due = given.now_ms + pacing.drain_ms
    event = Disconnect(session=before.session or "", seq=before.seq, link=_link(before), sent_at=given.sent_at)
    gone = replace(moved, seq=before.seq + 1, due_ms=due, registration=None)
    return Step(gone, (Send(event), *drain(before), Wait(due)))


def _link(before: AgentSession) -> str | None:
    return before.chain.link(before.seq) if before.chain is not None else None


def _renewed(before: AgentSession, given: Beat) -> HashChain | None:
    """Return the chain that takes over from this event on, where the old one is over soon."""
    over_soon = before.chain is not None and before.chain.over_soon(before.seq)
    return HashChain.of(given.secret, before.seq) if over_soon else None


def _proof(session: AgentSession, credential: Credential | None, seq: int) -> Proof | None:
    """Return what would begin the session with this event: the chain its next events are of, seen from here."""
    if credential is None or session.chain is None:
        return None
    return Proof(credential=credential, chain=session.chain.seen_from(seq), continues=session.continues)


def _introduced(session: AgentSession, given: Beat, pacing: Pacing) -> AgentSession:
    """Return the session that just introduced itself again: when it does so next depends on whether it is known."""
    if not session.doubtful:
        return replace(session, introduce_ms=pacing.next_introduction(given.now_ms, given.chance))
    retries = session.retries + 1
    return replace(session, introduce_ms=pacing.next_retry(given.now_ms, retries, given.chance), retries=retries)


def _patient(session: AgentSession, outputs: tuple[Output, ...], now_ms: int, pacing: Pacing) -> Step:
    """Say once that nobody answers."""
    waited_ms = now_ms - session.connected_ms
    unanswered = session.state is State.CONNECTING and waited_ms >= pacing.patience_ms
    if unanswered and not session.unanswered:
        words = f"no answer for {waited_ms // 1000} s: are the processor and the sink running? Heartbeats go on"
        outputs = (*outputs, Notice(Topic.UNANSWERED, words))
    return Step(replace(session, unanswered=unanswered), outputs)


def _with(chain: HashChain | None, tails: tuple[str, ...]) -> tuple[str, ...]:
    return (chain.tail, *tails)[:TAILS] if chain is not None else tails


def _remember(chain: HashChain | None, session: AgentSession) -> tuple[Output, ...]:
    """Return what keeps the tail of a new chain, before its commitment is sent."""
    return (Remember(session.tails),) if chain is not None else ()
