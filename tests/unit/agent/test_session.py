"""The session of an agent, told as short stories."""

import pytest

from schemas.credentials import Proof
from schemas.events import Connect, Disconnect, Heartbeat
from services.agent.core.chain import HashChain
from services.agent.core.exchange import (
    Answered,
    Beat,
    Begin,
    DrainSidecar,
    Notice,
    Output,
    Remember,
    Send,
    StartSidecar,
    Stop,
)
from services.agent.core.moves import AgentSession, State
from services.agent.core.pacing import Pacing
from services.agent.core.session import step
from tests.support.sessions import CREDENTIAL, INTRODUCTION, PACING, SESSIONS, answer_to

FIRST, SECOND = SESSIONS[:2]
HALF = 0.5
SECRET = bytes(range(32))


def connected() -> AgentSession:
    return step(AgentSession(INTRODUCTION), Begin(0, HALF, FIRST), PACING).session


def registered() -> AgentSession:
    return step(connected(), Answered(10, HALF, answer_to(FIRST, "registered")), PACING).session


def sent(outputs: tuple[Output, ...]) -> list[object]:
    return [output.event for output in outputs if isinstance(output, Send)]


def notices(outputs: tuple[Output, ...]) -> list[str]:
    return [output.topic.value for output in outputs if isinstance(output, Notice)]


def beat_on(session: AgentSession, until_ms: int) -> tuple[AgentSession, list[Heartbeat], list[str]]:
    """Give every heartbeat its time until then, or until the session is given up; return what was sent and said."""
    heartbeats: list[Heartbeat] = []
    said: list[str] = []
    while session.due_ms <= until_ms and session.state is not State.BACKOFF:
        session, outputs = step(session, Beat(session.due_ms, HALF), PACING)
        heartbeats += [event for event in sent(outputs) if isinstance(event, Heartbeat)]
        said += notices(outputs)
    return session, heartbeats, said


def test_a_session_begins_with_a_connect_that_introduces_the_machine() -> None:
    _, outputs = step(AgentSession(INTRODUCTION), Begin(0, HALF, FIRST), PACING)
    assert sent(outputs) == [Connect(session=FIRST, seq=0, workload=INTRODUCTION)]


def test_heartbeats_go_out_while_no_answer_comes() -> None:
    """Presence is the processor's business, and it needs no answer."""
    _, heartbeats, _ = beat_on(connected(), 20_000)
    assert [heartbeat.seq for heartbeat in heartbeats] == [1, 2, 3, 4]


def test_the_introduction_is_repeated_when_its_time_has_come_and_only_then() -> None:
    _, heartbeats, _ = beat_on(registered(), 30_000)
    assert [heartbeat.workload is not None for heartbeat in heartbeats] == [False, False, True, False, False, True]


def test_a_missing_answer_is_told_once() -> None:
    _, _, said = beat_on(connected(), 60_000)
    assert said == ["unanswered"]


def test_a_refused_session_goes_on_and_is_registered_when_the_sink_changes_its_mind() -> None:
    session, outputs = step(connected(), Answered(10, HALF, answer_to(FIRST, "refused")), PACING)
    assert (session.state, notices(outputs)) == (State.REFUSED, ["refused"])
    session, heartbeats, _ = beat_on(session, 5_000)
    assert len(heartbeats) == 1
    session, outputs = step(session, Answered(6_000, HALF, answer_to(FIRST, "registered")), PACING)
    assert session.state is State.REGISTERED
    assert any(isinstance(output, StartSidecar) for output in outputs)


def test_the_same_registration_told_again_starts_nothing() -> None:
    session, outputs = step(registered(), Answered(20, HALF, answer_to(FIRST, "registered")), PACING)
    assert (session, outputs) == (registered(), ())


def test_another_registration_of_the_same_session_restarts_the_sidecar() -> None:
    _, outputs = step(registered(), Answered(20, HALF, answer_to(FIRST, "registered", uid="other")), PACING)
    assert [output.registered.uid for output in outputs if isinstance(output, StartSidecar)] == ["other"]


def test_an_ended_registration_drains_the_sidecar_and_a_new_session_connects_after_the_backoff() -> None:
    session, outputs = step(registered(), Answered(20, HALF, answer_to(FIRST, "ended")), PACING)
    assert DrainSidecar() in outputs
    assert sent(outputs) == []
    session, outputs = step(session, Begin(session.due_ms, HALF, SECOND), PACING)
    assert sent(outputs) == [Connect(session=SECOND, seq=0, workload=INTRODUCTION)]


def test_registrations_that_end_at_once_are_tried_ever_more_slowly() -> None:
    session, waits = connected(), []
    for session_id in SESSIONS[1:]:
        before = session.due_ms
        session = step(session, Answered(before, HALF, answer_to(session.session or "", "ended")), PACING).session
        waits.append(session.due_ms - before)
        session = step(session, Begin(session.due_ms, HALF, session_id), PACING).session
    assert waits == [750, 1_500, 3_000, 6_000, 12_000]


def test_a_registration_that_lasted_is_followed_by_a_quick_reconnect() -> None:
    session, _, _ = beat_on(registered(), 60_000)
    ended = step(session, Answered(60_000, HALF, answer_to(FIRST, "ended")), PACING).session
    assert ended.due_ms == 60_750


def test_an_answer_to_a_stranger_under_our_key_is_told_once_and_not_fought() -> None:
    session, outputs = step(registered(), Answered(20, HALF, answer_to(SECOND, "registered")), PACING)
    assert (session.state, notices(outputs)) == (State.REGISTERED, ["superseded"])
    _, outputs = step(session, Answered(30, HALF, answer_to(SECOND, "registered")), PACING)
    assert outputs == ()


@pytest.mark.parametrize("kind", ["duplicate", "untaken"])
def test_a_session_whose_place_another_one_took_is_given_up_and_a_new_one_waits_for_its_turn(
    kind: str,
) -> None:
    """A superseded session is never heard again: its owner would be deaf until somebody restarts it."""
    # The twin was refused at first, and told of; then our machine was away, and the twin had its turn.
    refused = step(registered(), Answered(20, HALF, answer_to(SECOND, kind)), PACING).session
    taken, outputs = step(refused, Answered(30, HALF, answer_to(SECOND, "registered")), PACING)
    assert outputs == ()
    assert not refused.ousted
    given_up, heartbeats, said = beat_on(taken, 30_000)
    assert (given_up.state, given_up.registration, said) == (State.BACKOFF, None, ["superseded"])
    assert {one.session for one in heartbeats} == {FIRST}
    begun, outputs = step(given_up, Begin(given_up.due_ms, HALF, SESSIONS[2]), PACING)
    assert sent(outputs) == [Connect(session=SESSIONS[2], seq=0, workload=INTRODUCTION)]
    # The twin is answered again while it lives: once given way to, it is not given way to again.
    assert not step(begun, Answered(40_000, HALF, answer_to(SECOND, "registered", "v")), PACING).session.ousted


def test_an_answer_of_our_own_says_that_nobody_took_our_place() -> None:
    ousted = step(registered(), Answered(20, HALF, answer_to(SECOND, "registered")), PACING).session
    ours = step(ousted, Answered(30, HALF, answer_to(FIRST, "registered")), PACING).session
    assert (ousted.ousted, ours.ousted, ours.state) == (True, False, State.REGISTERED)


def test_a_late_answer_to_our_own_former_session_is_silent() -> None:
    session = step(registered(), Answered(20, HALF, answer_to(FIRST, "ended")), PACING).session
    session = step(session, Begin(session.due_ms, HALF, SECOND), PACING).session
    after, outputs = step(session, Answered(9_000, HALF, answer_to(FIRST, "registered")), PACING)
    assert (after, outputs) == (session, ())


def test_a_stop_says_goodbye_with_the_next_sequence_number() -> None:
    session, outputs = step(registered(), Stop(30), PACING)
    assert sent(outputs) == [Disconnect(session=FIRST, seq=1)]
    assert session.state is State.DRAINING


def test_a_stop_between_two_sessions_says_goodbye_for_the_one_that_ended() -> None:
    """The processor may still take it for connected: it heard its heartbeats until just now."""
    session = step(registered(), Answered(20, HALF, answer_to(FIRST, "ended")), PACING).session
    _, outputs = step(session, Stop(30), PACING)
    assert sent(outputs) == [Disconnect(session=FIRST, seq=1)]


def test_a_stop_before_the_connect_says_nothing() -> None:
    session, outputs = step(AgentSession(INTRODUCTION), Stop(0), PACING)
    assert session.state is State.CLOSED
    assert sent(outputs) == []


def proving() -> AgentSession:
    begin = Begin(0, HALF, FIRST, None, CREDENTIAL, SECRET)
    return step(AgentSession(INTRODUCTION, tails=("0f" * 32,)), begin, PACING).session


def test_a_session_begins_with_its_credential_a_chain_and_what_shows_whose_heir_it_is() -> None:
    begin = Begin(0, HALF, FIRST, None, CREDENTIAL, SECRET)
    _, outputs = step(AgentSession(INTRODUCTION, tails=("0f" * 32,)), begin, PACING)
    assert outputs[0] == Remember((SECRET.hex(), "0f" * 32)), "the tail is kept before the commitment is sent"
    (connect,) = sent(outputs)
    assert isinstance(connect, Connect)
    assert connect.proof == Proof(
        credential=CREDENTIAL, chain=HashChain.of(SECRET, 0).seen_from(0), continues=("0f" * 32,)
    )


def test_every_heartbeat_and_the_goodbye_show_the_next_link() -> None:
    session, heartbeats, _ = beat_on(proving(), 15_000)
    (goodbye,) = sent(step(session, Stop(15_000), PACING).outputs)
    assert isinstance(goodbye, Disconnect)
    chain = HashChain.of(SECRET, 0)
    links = [*(heartbeat.link for heartbeat in heartbeats), goodbye.link]
    assert links == [chain.link(seq) for seq in range(1, 5)]


def test_a_chain_is_renewed_once_inside_the_session_before_it_is_used_up() -> None:
    session, renewals = proving(), []
    for number in range(1_500):
        given = Beat(session.due_ms, HALF, None, None, number.to_bytes(32))
        session, outputs = step(session, given, PACING)
        renewals += [e.seq for e in sent(outputs) if isinstance(e, Heartbeat) and e.chain is not None]
        assert (Remember(session.tails) in outputs) == (session.seq - 1 in renewals)
    assert renewals == [994]


def introductions(session: AgentSession, until_ms: int) -> list[int]:
    """Return when heartbeats with an introduction went out, in seconds."""
    found = []
    while session.due_ms <= until_ms:
        now = session.due_ms
        session, outputs = step(session, Beat(now, HALF, None, CREDENTIAL, SECRET), Pacing())
        found += [now // 1000 for event in sent(outputs) if isinstance(event, Heartbeat) and event.proof]
    return found


def test_an_unanswered_session_introduces_itself_again_soon_and_then_ever_less_often() -> None:
    """After 10 s, 20 s more, 40 s, 80 s … and not less often than one that is known."""
    begun = step(AgentSession(INTRODUCTION), Begin(0, HALF, FIRST, None, CREDENTIAL, SECRET), Pacing()).session
    assert introductions(begun, 900_000) == [10, 30, 70, 150, 310, 490, 670, 850]


def test_a_registered_session_introduces_itself_at_the_usual_interval() -> None:
    begun = step(AgentSession(INTRODUCTION), Begin(0, HALF, FIRST, None, CREDENTIAL, SECRET), Pacing()).session
    joined = step(begun, Answered(2_000, HALF, answer_to(FIRST, "registered")), Pacing()).session
    assert introductions(joined, 600_000) == [185, 365, 545]


@pytest.mark.parametrize("kind", ["duplicate", "untaken"])
def test_a_session_the_processor_would_not_have_introduces_itself_soon_again_and_may_be_registered_after_all(
    kind: str,
) -> None:
    begun = step(AgentSession(INTRODUCTION), Begin(0, HALF, FIRST, None, CREDENTIAL, SECRET), Pacing()).session
    joined = step(begun, Answered(2_000, HALF, answer_to(FIRST, "registered")), Pacing()).session
    out = step(joined, Answered(3_000, HALF, answer_to(FIRST, kind)), Pacing()).session
    assert introductions(out, 100_000) == [15, 35, 75]
    assert step(out, Answered(4_000, HALF, answer_to(FIRST, "registered")), Pacing()).session.state is State.REGISTERED


def test_a_refusal_by_the_sink_does_not_hasten_introductions() -> None:
    """The processor knows the session; the sink tries again by itself."""
    begun = step(AgentSession(INTRODUCTION), Begin(0, HALF, FIRST, None, CREDENTIAL, SECRET), Pacing()).session
    out = step(begun, Answered(2_000, HALF, answer_to(FIRST, "refused")), Pacing()).session
    assert introductions(out, 600_000) == [10, 190, 370, 550]
