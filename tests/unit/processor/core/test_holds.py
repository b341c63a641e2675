"""Removals that an operator holds and resumes, in logs a person can check by hand."""

import pytest

from schemas.codec import Rejection, decode_event, decode_workload
from schemas.names import CONTROL_KEY
from schemas.workloads import Presence
from services.processor.core.record import Effect, Emit, Notice, NoticeKind, Record, Store
from services.processor.core.roll import Roll
from services.processor.core.rows import Hold
from services.processor.core.rules import Rules
from tests.support.logs import Log, key

RULES = Rules(window_ms=1000, missed_windows=2, grace_windows=3, brake_least=3)
OURS = key(0).rpartition(b"/")[0].decode()


def folded(log: Log, roll: Roll, start: int = 0) -> list[Effect]:
    return [effect for one in log.records[start:] for effect in roll.fold(Record(*one))]


def removals(effects: list[Effect]) -> list[bytes]:
    states = [(one.key, decode_workload(one.value)) for one in effects if isinstance(one, Emit) and one.value]
    return [key for key, state in states if not isinstance(state, Rejection) and state.presence is Presence.REMOVED]


def absent(log: Log) -> None:
    """One workload that is absent, three windows from its removal."""
    log.tick()
    log.connect(0)
    for _ in range(3):
        log.tick()


@pytest.mark.parametrize("scope", [None, OURS])
def test_held_nobody_is_removed_however_long_they_are_away(scope: str | None) -> None:
    log, roll = Log(), Roll(0, RULES)
    absent(log)
    log.hold(scope)
    for _ in range(20):
        log.tick()
    assert removals(folded(log, roll)) == []
    assert roll.rows[key(0)].presence is Presence.ABSENT


def test_the_grace_goes_on_being_counted_so_the_tick_after_the_resume_removes() -> None:
    log, roll = Log(), Roll(0, RULES)
    absent(log)
    log.hold(OURS)
    for _ in range(5):
        log.tick()
    log.resume(OURS)
    assert removals(folded(log, roll)) == []
    log.tick()
    assert removals(folded(log, roll, len(log.records) - 1)) == [key(0)]


def test_a_hold_of_another_group_holds_nobody_of_this_one() -> None:
    log, roll = Log(), Roll(0, RULES)
    absent(log)
    log.hold("elsewhere/reviews")
    for _ in range(3):
        log.tick()
    assert removals(folded(log, roll)) == [key(0)]


def test_a_group_that_is_resumed_stays_held_by_the_hold_of_everything() -> None:
    """And says so: an operator would wonder."""
    log, roll = Log(), Roll(0, RULES)
    absent(log)
    log.hold()
    log.hold(OURS)
    log.resume(OURS)
    effects = folded(log, roll)
    assert list(roll.held) == ["*"]
    assert effects[-1] == Notice(
        NoticeKind.OVERRIDDEN,
        f"ResumeRemovals of {OURS} by bob: they moved; removals are held by ann: the racks move as before",
    )


def test_resuming_everything_lifts_the_holds_of_groups_too() -> None:
    log, roll = Log(), Roll(0, RULES)
    log.hold(OURS)
    log.hold("elsewhere/reviews")
    log.resume()
    folded(log, roll)
    assert roll.held == {}


def test_a_hold_survives_its_owner_and_says_whose_it_is() -> None:
    """From the partition's row alone, the order being history already."""
    log, first = Log(), Roll(0, RULES)
    absent(log)
    given = log.hold(OURS)
    for _ in range(2):
        log.tick()
    table = {one.key: one.row for one in folded(log, first) if isinstance(one, Store) and one.row is not None}
    second = Roll.restore(0, RULES, table.items())
    assert first.resume > given
    assert second.held == {OURS: Hold("ann", "the racks move", log.records[given].timestamp)}
    for _ in range(5):
        log.tick()
    assert removals(folded(log, second, first.resume)) == []


def test_it_is_told_once_that_somebody_would_have_been_removed() -> None:
    log, roll = Log(), Roll(0, RULES)
    absent(log)
    log.hold(OURS)
    for _ in range(9):
        log.tick()
    held = [one for one in folded(log, roll) if isinstance(one, Notice) and one.kind is NoticeKind.HELD]
    assert [one.words for one in held] == [
        f"window 6: 1 not removed: removals of {OURS} are held by ann: the racks move"
    ]


def test_a_brake_cannot_be_released_for_one_group() -> None:
    """It is of a whole partition; such an order is rejected, not taken for another."""
    order = b'{"v":1,"type":"override","action":"ReleaseBrake","who":"ann","why":"x","scope":"bookinfo/ratings"}'
    refused = decode_event(CONTROL_KEY, order)
    assert isinstance(refused, Rejection)
    assert "a brake is of a whole partition" in refused.message
