from collections import Counter

from schemas.workloads import Workload
from services.processor.core.rules import Rules
from services.replay.causes import Causes
from services.replay.chunks import Chunk, Gap, Why
from services.replay.comparing import Found, Kind, Newest, Witness, agreement, compare, topic_view
from services.replay.refold import Refold, Transition
from tests.support.logs import Log, session

TOPIC = "muster.events"


def told(log: Log, end: int | None = None, gap: bool = False, witness: Witness | None = None) -> Refold:  # noqa: FBT001, FBT002
    refold = Refold(Rules(window_ms=1000, missed_windows=1, grace_windows=2))
    if gap:
        list(refold.take(Gap(TOPIC, 0, 0, 1, Why.RETENTION)))
    for happening in refold.take(Chunk(TOPIC, 0, log.records[int(gap) : end])):
        if witness is not None:
            witness.take(happening)
    return refold


def a_log() -> Log:
    log = Log()
    log.connect(1)
    log.connect(2)
    log.tick()
    log.heartbeat(1)
    log.tick()
    return log


def compared(log: Log, live: dict[bytes, Workload], end: int | None = None, gap: bool = False) -> list[Found]:  # noqa: FBT001, FBT002
    view = topic_view(live)
    witness = Witness((view,))
    return list(compare(told(log, end, gap, witness), witness, view))


def kinds(log: Log, live: dict[bytes, Workload], end: int | None = None) -> Counter[Kind]:
    return Counter(found.kind for found in compared(log, live, end))


def test_the_same_log_agrees() -> None:
    found = kinds(a_log(), told(a_log()).states())
    assert found == {Kind.AGREES: 2}
    assert agreement({"live": found}) == "compared with live: 2 of 2 workloads agree"


def test_how_two_stand_is_one_line() -> None:
    good = Counter({Kind.AGREES: 2})
    assert agreement({"a": good, "b": good}) == "compared with a and b: 2 of 2 workloads agree"
    late = Counter({Kind.AGREES: 1, Kind.BEHIND: 1})
    assert agreement({"a": good, "b": late}) == (
        "compared with a: 2 of 2 workloads agree, and with b: 1 of 2 workloads agree; 1 behind"
    )


def test_the_record_that_brought_a_state_is_told_in_words() -> None:
    """A live state's own record, the newest of a workload, and one that was not read."""
    log = a_log()
    one, two = (log.records[number].key or b"" for number in (0, 1))
    causes = Causes((topic_view({one: told(log).states()[one].model_copy(update={"revision": 3})}),))
    chunk = Chunk(TOPIC, 0, log.records)
    causes.look(chunk)
    for happening in Refold(Rules(window_ms=1000, missed_windows=1, grace_windows=2)).take(chunk):
        if isinstance(happening, Transition):
            causes.take(happening, chunk)
    assert causes.words(one, "0:3") == f"the heartbeat of session {session(0)} at 2023-11-14T22:13:21.000Z (0:3)"
    assert causes.words(two, "0:4") == "the tick at 2023-11-14T22:13:22.000Z (0:4)"
    assert causes.words(two, "0:9") == "the record at 0:9, which was not read"


def test_who_read_further_is_ahead_or_behind_and_not_different() -> None:
    log = a_log()
    assert kinds(log, told(log).states(), 3) == {Kind.AGREES: 1, Kind.AHEAD: 1}
    assert kinds(log, told(log, 3).states()) == {Kind.AGREES: 1, Kind.BEHIND: 1}
    assert kinds(log, told(log, 3).states(), 1) == {Kind.AGREES: 1, Kind.AHEAD: 1}
    assert kinds(log, told(log, 1).states(), 3) == {Kind.AGREES: 1, Kind.BEHIND: 1}


def test_another_state_at_the_same_revision_is_different_field_by_field() -> None:
    log = a_log()
    live = told(log).states()
    key = log.records[1].key or b""
    live[key] = live[key].model_copy(update={"message": "forged", "window": 9})
    (found,) = [one for one in compared(log, live) if one.kind is not Kind.AGREES]
    assert (found.key, found.kind, found.place) == (key, Kind.DIFFERENT, "0:4")
    assert [words.partition(":")[0] for words in found.words] == ["message", "window"]


def test_a_live_state_of_a_record_that_changed_nothing_is_different() -> None:
    log = a_log()
    live = told(log).states()
    key = log.records[0].key or b""
    live[key] = live[key].model_copy(update={"revision": 3})
    assert kinds(log, live) == {Kind.AGREES: 1, Kind.DIFFERENT: 1}


def test_nothing_is_held_against_what_is_live_where_the_replay_could_not_know() -> None:
    log = a_log()
    found = compared(log, told(log).states(), gap=True)
    assert not [one for one in found if one.kind is Kind.DIFFERENT]


def test_of_a_live_workload_the_newest_revision_counts_wherever_it_stands() -> None:
    log = a_log()
    new, old = told(log).states(), told(log, 3).states()
    live = Newest()
    for states in (old, new, old):
        for key, state in states.items():
            live.take(key, state)
    assert live.states == new


def test_what_is_behind_is_held_against_the_state_of_its_own_revision() -> None:
    """It is late: that excuses nothing that it says of the record it names."""
    log = a_log()
    key = log.records[1].key or b""
    live = told(log, 3).states()
    live[key] = live[key].model_copy(update={"message": "forged"})
    (found,) = [one for one in compared(log, live) if one.key == key]
    assert (found.kind, found.place) == (Kind.DIFFERENT, f"0:{live[key].revision}")
    assert found.words == ("message: replayed '', live 'forged'",)
