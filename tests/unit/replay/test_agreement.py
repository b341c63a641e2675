from collections.abc import Callable

from schemas.codec import decode_workload
from schemas.workloads import Workload
from services.processor.core.record import Emit
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from services.replay.core.agreement import disagreement
from services.replay.core.story import story
from tests.support.logs import Log, key

THREE = Rules(window_ms=1000, missed_windows=3)
TWO = Rules(window_ms=1000, missed_windows=2)


def _log() -> Log:
    log = Log()
    log.connect(1)
    for _ in range(3):
        log.tick()
    return log


def _written(log: Log, rules: Rules) -> list[Workload]:
    roll = Roll(0, rules)
    emitted = [effect for record in log.records for effect in roll.fold(record) if isinstance(effect, Emit)]
    states = [decode_workload(effect.value or b"") for effect in emitted]
    return [state for state in states if isinstance(state, Workload)]


def _said(
    log: Log, told_by: Rules, written_by: Rules, kept: Callable[[Workload], bool] = lambda _one: True
) -> str | None:
    return disagreement(story(log.records, key(1), told_by), filter(kept, _written(log, written_by)))


def test_a_story_by_the_processors_rules_agrees() -> None:
    assert _said(_log(), TWO, TWO) is None


def test_of_a_compacted_topic_the_newest_state_is_enough() -> None:
    assert _said(_log(), TWO, TWO, lambda state: state.presence == "absent") is None


def test_a_verdict_that_the_story_lacks_is_said() -> None:
    said = _said(_log(), THREE, TWO)
    assert said is not None
    assert said.startswith("muster.workloads says absent (AgentMissedWindows) by the record at offset 3, and by these")


def test_a_verdict_that_the_topic_lacks_is_said() -> None:
    said = _said(_log(), TWO, THREE)
    assert said is not None
    assert "says connected (AgentEstablishedConnection) by the record at offset 0 and nothing newer" in said
    assert "it was absent at offset 3: does the processor lag" in said


def test_a_story_that_ends_before_the_newest_state_is_not_held_against_it() -> None:
    log = _log()
    tale = story(log.records[:2], key(1), TWO)
    assert disagreement(tale, _written(log, TWO)) is None


def test_of_a_log_without_its_start_nobody_can_tell() -> None:
    log = _log()
    assert disagreement(story(log.records[1:], key(1), TWO), _written(log, TWO)) is None
