"""The refold: what the processor's core decides, and nothing that does not follow from what was read."""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.workloads import Presence
from services.processor.core.record import Emit, NoticeKind, Record
from services.processor.core.rules import Rules
from services.replay.chunks import Chunk, Gap, Why
from services.replay.refold import Happening, Noted, Refold, Transition
from services.replay.summary import FailOn, Tally, cannot_know, failures, summary
from tests.laws.logs import RULES, Step, picture, steps, written
from tests.support.logs import Log

TOPIC = "muster.events"
FEW = Rules(window_ms=1000, missed_windows=2, grace_windows=3)


def chunk(log: Log, start: int = 0, end: int | None = None) -> Chunk:
    return Chunk(TOPIC, 0, log.records[start:end])


def transitions(happenings: list[Happening]) -> list[Transition]:
    return [one for one in happenings if isinstance(one, Transition)]


@given(steps, st.integers(1, 50))
@settings(max_examples=200, deadline=None)
def test_a_refold_tells_exactly_what_the_processor_told(script: list[Step], size: int) -> None:
    """Whatever the log, and however it comes in chunks."""
    agents = written(script)
    refold = Refold(RULES)
    happenings: list[Happening] = []
    for start in range(0, len(agents.records), size):
        happenings += refold.take(Chunk(TOPIC, 0, agents.records[start : start + size]))
    told = [
        (record.offset, effect.key, effect.value)
        for record, effects in zip(agents.records, agents.effects, strict=True)
        for effect in effects
        if isinstance(effect, Emit)
    ]
    again = transitions(happenings)
    assert [(one.place.offset, one.key, one.state.to_json() if one.state else None) for one in again] == told
    # Where the ticks of a script come as no owner's would, that is said instead.
    assert all(one.certain for one in again) or any(one.fit.told for one in refold.standings.values())
    if agents.records:
        assert picture(refold.standings[0].roll) == picture(agents.roll)


def silent_night() -> Log:
    """Workload 1 beats in every window; 2 falls silent and is removed."""
    log = Log()
    log.connect(1)
    log.connect(2)
    for number in range(12):
        log.heartbeat(1, seq=number + 1, introduces="v1.0.0" if number == 6 else None)
        log.tick()
    return log


def test_a_fold_from_the_middle_says_what_cannot_be_known_and_is_certain_of_nothing() -> None:
    log = silent_night()
    refold = Refold(FEW)
    happenings = list(refold.take(chunk(log, 8)))
    assert all(not one.certain for one in transitions(happenings))
    words = "\n".join(cannot_know(refold))
    assert "begins in the middle of the log, at offset 8" in words
    assert "3 events are of sessions whose beginning was not read" in words
    assert refold.standings[0].roll.window == log.window
    assert set(refold.states()) == {log.records[0].key}
    assert failures([FailOn.UNCERTAIN], refold, Tally()) == ["uncertain: 1"]


def test_lost_records_make_everything_after_them_uncertain_and_nothing_before() -> None:
    log = silent_night()
    refold = Refold(FEW)
    before = list(refold.take(chunk(log, 0, 4)))
    gap = Gap(TOPIC, 0, 4, 12, Why.RETENTION)
    after = [*refold.take(gap), *refold.take(chunk(log, 12))]
    assert all(one.certain for one in transitions(before))
    assert after[0] == gap
    assert transitions(after)
    assert all(not one.certain for one in transitions(after))
    assert "offsets 4 to 11 were deleted by retention" in "\n".join(cannot_know(refold))
    assert refold.standings[0].roll.window == log.window


def test_the_markers_of_transactions_leave_everything_certain() -> None:
    log = silent_night()
    moved = [Record(one.offset + 2, *one[1:]) for one in log.records]
    refold = Refold(FEW)
    happenings = [*refold.take(Gap(TOPIC, 0, 0, 2, Why.MARKERS)), *refold.take(Chunk(TOPIC, 0, moved))]
    assert len(happenings) == 4
    assert all(one.certain for one in transitions(happenings))
    assert cannot_know(refold) == []


def test_the_summary_counts_windows_and_what_changed_nothing() -> None:
    log = silent_night()
    log.heartbeat(2, of=5)
    log.tick(window=2)
    log.append(b"\xff", b"\xff")
    log.resumed()
    log.tick()
    refold, tally = Refold(FEW), Tally()
    happenings = list(refold.take(chunk(log)))
    for one in happenings:
        tally.take(one)
    told = summary(refold, tally)
    assert told["records"] == len(log.records)
    assert told["windows"] == {"counted": 11, "void": 2, "braked": 0}
    assert told["ignored"] == {"TickNotCurrent": 1, "UnknownSession": 1}
    assert told["rejected"] == {"Undecodable": 1}
    assert told["states"] == {"connected": 1, "unknown": 0, "absent": 0, "removed": 1}
    assert told["certain"]
    assert failures([FailOn.REMOVAL, FailOn.BRAKE, FailOn.REJECTED], refold, tally) == ["rejected: 1", "removal: 1"]
    assert [one.state.presence for one in transitions(happenings)[2:] if one.state] == [
        Presence.ABSENT,
        Presence.REMOVED,
    ]
    assert [one.kind for one in happenings if isinstance(one, Noted)] == [NoticeKind.VOID_WINDOW]


def test_memory_depends_on_workloads_and_not_on_records() -> None:
    """Ten times the windows take no more; the log itself is not counted, a source yields it in passing."""
    log = Log()
    for who in range(100):
        log.connect(who)
    for window in range(100):
        for who in range(100):
            log.heartbeat(who, seq=window + 1)
        log.tick()
    per_window = 101
    refold = Refold(FEW)
    tracemalloc.start()
    try:
        sizes = []
        for start in range(0, len(log.records), 10 * per_window):
            list(refold.take(chunk(log, start, start + 10 * per_window)))
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(sizes) >= 10
    assert sizes[-1] < sizes[0] * 1.2
