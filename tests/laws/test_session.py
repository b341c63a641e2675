"""Laws of the agent's session: whatever it is given, in whatever order."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.chain import leads_to
from schemas.credentials import Chain
from schemas.events import Connect, Disconnect, Heartbeat
from schemas.registrations import Ended, Refused, Registered
from services.agent.core.exchange import (
    Answered,
    Beat,
    Begin,
    DrainSidecar,
    Exit,
    Flushed,
    Input,
    Remember,
    Send,
    StartSidecar,
    Stop,
    Wait,
)
from services.agent.core.moves import LIVE, AgentSession, State, Step
from services.agent.core.session import TABLE, Kind, classify, step
from tests.support.sessions import CREDENTIAL, INTRODUCTION, PACING, SESSIONS, answer_to

chances = st.floats(0, 1, exclude_max=True)
secrets = st.binary(min_size=32, max_size=32)
KINDS = ["registered", "refused", "duplicate", "untaken", "ended"]

answers = st.builds(answer_to, st.sampled_from(SESSIONS), st.sampled_from(KINDS))
times = st.integers(0, 400_000)
inputs: st.SearchStrategy[Input] = st.one_of(
    st.builds(Begin, times, chances, st.sampled_from(SESSIONS), st.none(), st.none() | st.just(CREDENTIAL), secrets),
    st.builds(Beat, times, chances, st.none(), st.none() | st.just(CREDENTIAL), secrets),
    st.builds(Answered, times, chances, answers),
    st.builds(Stop, times, st.none()),
    st.just(Flushed()),
)


def test_every_input_has_an_outcome_in_every_state() -> None:
    """The table is whole: 7 states by 10 kinds of input."""
    assert {state: set(row) for state, row in TABLE.items()} == {state: set(Kind) for state in State}


def test_a_closed_session_never_opens_again() -> None:
    assert {cell.state for cell in TABLE[State.CLOSED].values()} == {State.CLOSED}
    assert {cell.state for cell in TABLE[State.DRAINING].values()} == {State.DRAINING, State.CLOSED}


@given(st.lists(inputs, max_size=60))
def test_the_state_after_an_input_is_the_one_in_the_table(story: list[Input]) -> None:
    session = AgentSession(INTRODUCTION)
    for item in story:
        expected = TABLE[session.state][classify(session, item)].state
        session = step(session, item, PACING).session
        assert session.state is expected


@given(st.lists(inputs, max_size=40))
def test_draining_always_ends(story: list[Input]) -> None:
    """From wherever a session is, a stop and the passing of time close it, though nothing is ever delivered."""
    session = AgentSession(INTRODUCTION)
    exits = 0
    for item in [*story, Stop(500_000)]:
        session, outputs = step(session, item, PACING)
        exits += sum(isinstance(output, Exit) for output in outputs)
    session, outputs = step(session, Beat(session.due_ms, 0.5), PACING)
    exits += sum(isinstance(output, Exit) for output in outputs)
    assert session.state is State.CLOSED
    assert exits == 1


@given(st.lists(inputs, max_size=40), answers)
def test_an_answer_of_another_session_changes_nothing(story: list[Input], answer: Registered | Refused | Ended) -> None:
    session = AgentSession(INTRODUCTION)
    for item in story:
        session = step(session, item, PACING).session
    after, outputs = step(session, Answered(1, 0.5, answer), PACING)
    if answer.session != session.session:
        assert (after.state, after.session, after.seq, after.due_ms) == (
            session.state,
            session.session,
            session.seq,
            session.due_ms,
        )
        assert not [
            output for output in outputs if isinstance(output, Send | Wait | StartSidecar | DrainSidecar | Exit)
        ]


@given(st.integers(0, 10**9), chances)
def test_a_heartbeat_is_never_later_than_its_interval_and_jitter(now: int, chance: float) -> None:
    wait = PACING.next_heartbeat(now, chance) - now
    assert 4_000 <= wait <= 6_000


@given(st.integers(0, 10_000), chances)
def test_a_backoff_is_never_above_its_cap_nor_below_half_its_base(attempt: int, chance: float) -> None:
    wait = PACING.next_attempt(0, attempt, chance)
    assert PACING.backoff_ms // 2 <= wait <= PACING.backoff_cap_ms


class Checker:
    """Who checks the chain of a session: it knows what events told, and no secret (ADR 0007)."""

    def __init__(self) -> None:
        self.end = 0
        """Number of the event that would show the chain's last link."""
        self.newest = (0, "")
        """An event of the chain, and its link."""
        self.shown: set[str] = set()
        """Everything secret or once secret that can be read in the log."""

    def take(self, event: Connect | Heartbeat | Disconnect) -> None:
        if isinstance(event, Connect):
            assert event.proof is not None
            self._commit(event.seq, event.proof.chain)
        else:
            assert event.link is not None
            assert event.seq < self.end, "the chain's last link is no event's"
            assert _leads(event.link, event.seq - self.newest[0], self.newest[1])
            self.newest = (event.seq, event.link)
            self.shown.add(event.link)
        if isinstance(event, Heartbeat) and event.chain is not None:
            self._commit(event.seq, event.chain)
        if isinstance(event, Connect | Heartbeat) and event.proof is not None:
            self.shown.update(event.proof.continues)
            told = event.proof.chain
            assert (event.seq, told.anchor) == self.newest, "who begins with this event comes to the same chain"
            assert event.seq + told.length == self.end

    def _commit(self, seq: int, chain: Chain) -> None:
        self.newest, self.end = (seq, chain.anchor), seq + chain.length


def _leads(link: str, steps: int, anchor: str) -> bool:
    return leads_to(bytes.fromhex(link), steps, bytes.fromhex(anchor))


class Conversation(RuleBasedStateMachine):
    """A session and the world around it: a clock, a shell that obeys Wait, and answers that come at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.session = AgentSession(INTRODUCTION, tails=("0f" * 32,))
        self.checker = Checker()
        self.remembered: tuple[str, ...] = self.session.tails
        self.kept_before: tuple[str, ...] = ()
        self.now = 0
        self.wait = Wait(0, begin=True)
        self.minted = 0
        self.secrets = 0
        self.connects: list[str] = []
        self.last_seq: dict[str, int] = {}
        self.goodbye = False
        self.sidecar = False
        self.exits = 0

    def give(self, given: Input) -> None:
        self.take(step(self.session, given, PACING))

    def take(self, done: Step) -> None:
        self.session = done.session
        for output in done.outputs:
            match output:
                case Remember(tails):
                    self.kept_before, self.remembered = self.remembered, tails
                case Send(event):
                    self.sent(event)
                case Wait():
                    self.wait = output
                case StartSidecar():
                    self.sidecar = True
                case DrainSidecar():
                    self.sidecar = False
                case Exit():
                    self.exits += 1

    def sent(self, event: Connect | Heartbeat | Disconnect) -> None:
        assert not self.goodbye, "an event after the goodbye"
        assert event.seq > self.last_seq.get(event.session, -1), "the sequence of a session strictly increases"
        self.last_seq[event.session] = event.seq
        if isinstance(event, Connect):
            assert event.session not in self.connects, "a session id was used twice"
            assert event.seq == 0
            self.connects.append(event.session)
        assert event.session == self.connects[-1], "an event of a session that is not the newest"
        self.goodbye = isinstance(event, Disconnect)
        if isinstance(event, Connect):
            assert event.proof is not None
            assert event.proof.continues == self.kept_before, "the heir shows what was kept of the sessions before"
        self.checker.take(event)
        assert self.remembered[0] not in self.checker.shown, "the secret of the chain in use was shown"

    @invariant()
    def the_newest_tail_kept_is_that_of_the_chain_in_use(self) -> None:
        seq, link = self.checker.newest
        assert not self.connects or _leads(self.remembered[0], self.checker.end - seq, link)

    @rule(chance=chances, late=st.integers(0, 3_000))
    def come_when_due(self, chance: float, late: int) -> None:
        self.come(chance, late)

    def come(self, chance: float, late: int) -> None:
        self.now = max(self.now, self.wait.until_ms) + late
        if self.wait.begin:
            session = f"10000000-0000-4000-8000-{self.minted:012d}"
            self.minted += 1
            self.give(Begin(self.now, chance, session, None, CREDENTIAL, self.secret()))
        else:
            credential = CREDENTIAL if self.session.introduces(self.now) else None
            self.give(Beat(self.now, chance, None, credential, self.secret()))

    def secret(self) -> bytes:
        self.secrets += 1
        return self.secrets.to_bytes(32)

    @precondition(lambda self: not self.wait.begin and self.session.state in LIVE)
    @rule(times=st.sampled_from([50, 500, 1_000]))
    def go_on_for_long(self, times: int) -> None:
        for _ in range(times):
            self.come(0.5, 0)

    @precondition(lambda self: self.connects)
    @rule(chance=chances)
    def begin_with_a_used_id(self, chance: float) -> None:
        self.now = max(self.now, self.wait.until_ms)
        self.give(Begin(self.now, chance, self.connects[0], None, CREDENTIAL, self.secret()))

    @rule(chance=chances)
    def come_too_soon(self, chance: float) -> None:
        before = self.session
        if self.now < before.due_ms:
            self.give(Beat(self.now, chance))
            assert self.session == before

    @precondition(lambda self: self.connects)
    @rule(chance=chances, kind=st.sampled_from(KINDS), uid=st.sampled_from(["a", "b"]))
    def answer_the_newest(self, chance: float, kind: str, uid: str) -> None:
        self.give(Answered(self.now, chance, answer_to(self.connects[-1], kind, uid)))

    @precondition(lambda self: self.connects)
    @rule(chance=chances, kind=st.sampled_from(KINDS))
    def answer_an_older_or_another(self, chance: float, kind: str) -> None:
        for session in (*self.connects[:-1], SESSIONS[0]):
            self.give(Answered(self.now, chance, answer_to(session, kind)))

    @rule()
    def stop(self) -> None:
        self.give(Stop(self.now))

    @rule()
    def flush(self) -> None:
        self.give(Flushed())

    @invariant()
    def the_sidecar_runs_while_registered_and_never_else(self) -> None:
        assert self.sidecar == (self.session.state is State.REGISTERED)

    @invariant()
    def a_session_that_is_live_is_waited_for(self) -> None:
        if self.session.state in LIVE | {State.BACKOFF, State.DRAINING}:
            assert self.wait == Wait(self.session.due_ms, begin=self.session.state is State.BACKOFF)

    @invariant()
    def it_exits_once(self) -> None:
        assert self.exits == (self.session.state is State.CLOSED)


TestConversation = Conversation.TestCase
TestConversation.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
