"""The comparison itself would notice: each kind of disagreement, made by hand."""

from schemas.message import instant
from schemas.workloads import Presence, Workload
from tests.integration import evidence
from tests.support.logs import Log, key
from tests.support.oracle import OracleRules, State, Verdicts, oracle

RULES = OracleRules(window_ms=1000, missed_windows=2, grace_windows=3)


def judged() -> Verdicts:
    """Two workloads connect; the second falls silent."""
    log = Log()
    log.tick()
    log.connect(0)
    log.connect(1)
    for seq in range(1, 4):
        log.tick()
        log.heartbeat(0, seq=seq)
    return oracle({0: log.records}, RULES)


def telling(verdicts: Verdicts) -> list[tuple[bytes, Workload]]:
    return [(t.key, told(t.state)) for t in verdicts.transitions if t.state is not None]


def told(state: State) -> Workload:
    return Workload(
        workload=state.workload,
        session=state.session,
        presence=state.presence,
        reason=state.reason,
        since=instant(state.since_ms),
        partition=0,
        revision=state.revision,
        window=state.window,
    )


def test_a_processor_that_told_just_what_the_oracle_says_disagrees_in_nothing() -> None:
    verdicts = judged()
    states = telling(verdicts)
    assert not evidence.told_against_oracle([*states, *states], verdicts)
    assert not evidence.final_against_oracle(evidence.newest(states), verdicts)


def test_a_transition_that_was_never_told_is_noticed_though_a_later_one_was() -> None:
    verdicts = judged()
    first, *rest = telling(verdicts)
    assert [line.split()[0] for line in evidence.told_against_oracle(rest, verdicts)] == [first[0].decode()]


def test_an_outcome_told_again_otherwise_is_noticed() -> None:
    verdicts = judged()
    states = telling(verdicts)
    workload, state = states[0]
    again = state.model_copy(update={"presence": Presence.UNKNOWN})
    assert evidence.told_against_oracle([*states, (workload, again)], verdicts)


def test_a_final_state_that_differs_in_one_field_is_noticed() -> None:
    verdicts = judged()
    known = evidence.newest(telling(verdicts))
    known[key(0)] = known[key(0)].model_copy(update={"window": 7})
    assert len(evidence.final_against_oracle(known, verdicts)) == 1


def test_whoever_was_called_absent_though_its_agent_was_there_was_wronged() -> None:
    verdicts = judged()
    assert evidence.wronged(verdicts, [], {key(1)})
    assert not evidence.wronged(verdicts, [], {key(0)})


def test_a_workload_without_its_object_is_noticed() -> None:
    known = evidence.newest(telling(judged()))
    assert len(evidence.wars_against_told({}, known, {})) == 2
