from collections import Counter

from schemas.workloads import Workload
from services.processor.core.rules import Rules
from services.replay.chunks import Chunk, Gap, Why
from services.replay.comparing import Kind, Live, agreement, compare
from services.replay.refold import Refold
from tests.support.logs import Log

TOPIC = "muster.events"


def told(log: Log, end: int | None = None, gap: bool = False) -> Refold:  # noqa: FBT001, FBT002
    refold = Refold(Rules(window_ms=1000, missed_windows=1, grace_windows=2))
    if gap:
        list(refold.take(Gap(TOPIC, 0, 0, 1, Why.RETENTION)))
    list(refold.take(Chunk(TOPIC, 0, log.records[int(gap) : end])))
    return refold


def a_log() -> Log:
    log = Log()
    log.connect(1)
    log.connect(2)
    log.tick()
    log.heartbeat(1)
    log.tick()
    return log


def kinds(refold: Refold, live: dict[bytes, Workload]) -> Counter[Kind]:
    return Counter(found.kind for found in compare(refold, live))


def test_the_same_log_agrees() -> None:
    found = kinds(told(a_log()), told(a_log()).states())
    assert found == {Kind.AGREES: 2}
    assert agreement(found) == "compared with live: 2 of 2 workloads agree"


def test_who_read_further_is_ahead_or_behind_and_not_different() -> None:
    log = a_log()
    assert kinds(told(log, 3), told(log).states()) == {Kind.AGREES: 1, Kind.AHEAD: 1}
    assert kinds(told(log), told(log, 3).states()) == {Kind.AGREES: 1, Kind.BEHIND: 1}
    assert kinds(told(log, 1), told(log, 3).states()) == {Kind.AGREES: 1, Kind.AHEAD: 1}
    assert kinds(told(log, 3), told(log, 1).states()) == {Kind.AGREES: 1, Kind.BEHIND: 1}


def test_another_state_at_the_same_revision_is_different_field_by_field() -> None:
    log = a_log()
    live = told(log).states()
    key = log.records[1].key or b""
    live[key] = live[key].model_copy(update={"message": "forged", "window": 9})
    (found,) = [one for one in compare(told(log), live) if one.kind is not Kind.AGREES]
    assert (found.key, found.kind, found.place) == (key, Kind.DIFFERENT, "0:4")
    assert [words.partition(":")[0] for words in found.words] == ["message", "window"]


def test_a_live_state_of_a_record_that_changed_nothing_is_different() -> None:
    log = a_log()
    live = told(log).states()
    key = log.records[0].key or b""
    live[key] = live[key].model_copy(update={"revision": 3})
    assert kinds(told(log), live) == {Kind.AGREES: 1, Kind.DIFFERENT: 1}


def test_nothing_is_held_against_what_is_live_where_the_replay_could_not_know() -> None:
    log = a_log()
    assert kinds(told(log, gap=True), told(log).states())[Kind.DIFFERENT] == 0


def test_of_a_live_workload_the_newest_revision_counts_wherever_it_stands() -> None:
    log = a_log()
    new, old = told(log).states(), told(log, 3).states()
    live = Live()
    for states in (old, new, old):
        for key, state in states.items():
            live.take(key, state)
    assert live.states == new
