"""What a new owner rebuilds from the rows and the last two windows, in logs a person can check by hand."""

from schemas.codec import Rejection, decode_workload
from schemas.workloads import Presence
from services.processor.core.record import Effect, Emit, Ignored, Record, Rule, Store
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from tests.support.logs import Log, key

RULES = Rules(window_ms=1000, missed_windows=2, grace_windows=3, brake_least=3)


def rows(effects: list[Effect]) -> dict[bytes, bytes]:
    """Return the table these effects leave."""
    table: dict[bytes, bytes] = {}
    for effect in effects:
        if isinstance(effect, Store) and effect.row is not None:
            table[effect.key] = effect.row
    return table


def folded(log: Log, roll: Roll, start: int = 0) -> list[Effect]:
    return [effect for one in log.records[start:] for effect in roll.fold(Record(*one))]


def told(effects: list[Effect]) -> list[Presence]:
    states = [decode_workload(one.value) for one in effects if isinstance(one, Emit) and one.value is not None]
    return [state.presence for state in states if not isinstance(state, Rejection)]


def test_the_open_window_is_rebuilt_so_that_nobody_heard_in_it_is_missed() -> None:
    """The heartbeat before the crash counts for its window, though no row was written for it."""
    log, first = Log(), Roll(0, RULES)
    log.tick()
    log.connect(0)
    log.tick()
    log.tick()
    log.heartbeat(0)
    effects = folded(log, first)
    second = Roll.restore(0, RULES, rows(effects).items())
    log.tick()
    log.tick()
    after = folded(log, second, first.resume)
    assert second.rows[key(0)].presence is Presence.CONNECTED
    assert second.attendance.missed == {key(0): (1, 1)}
    assert told(after) == []


def test_a_stale_heartbeat_of_a_missed_window_is_stale_after_a_restart_too() -> None:
    """The highest seq of who missed a window is kept with the miss, not taken from what did not count."""
    log, first = Log(), Roll(0, RULES)
    log.tick()
    log.connect(0)
    log.heartbeat(0, seq=5)
    log.tick()
    log.heartbeat(0, seq=3)
    log.tick()
    effects = folded(log, first)
    second = Roll.restore(0, RULES, rows(effects).items())
    log.heartbeat(0, seq=4)
    assert [one for one in folded(log, second, first.resume) if isinstance(one, Ignored)] == [
        Ignored(Rule.STALE_SEQUENCE)
    ]


def test_a_verdict_stored_in_part_is_completed_and_told_again() -> None:
    """Of two rows of one tick the first was stored: the next owner stores the second and tells both."""
    log, first = Log(), Roll(0, RULES)
    log.tick()
    for who in (0, 1):
        log.connect(who)
    for _ in range(3):
        log.tick()
    last = len(log.records) - 1
    before = [effect for one in log.records[:last] for effect in first.fold(Record(*one))]
    resume = first.resume
    verdicts = list(first.fold(Record(*log.records[last])))
    partly = [*before, next(one for one in verdicts if isinstance(one, Store))]
    second = Roll.restore(0, RULES, rows(partly).items())
    after = folded(log, second, resume)
    assert told(after)[-2:] == [Presence.ABSENT, Presence.ABSENT]
    assert second.rows == first.rows
    assert second.state == first.state


def test_no_more_is_committed_than_was_told_again() -> None:
    """Right after a restart nothing of what is read again may be passed over by a second restart."""
    log, first = Log(), Roll(0, RULES)
    log.connect(0)
    log.tick()
    log.tick()
    second = Roll.restore(0, RULES, rows(folded(log, first)).items())
    assert (first.resume, second.resume) == (2, 0)
    second.fold(Record(*log.records[0]))
    assert second.resume == 1


def test_a_workload_whose_records_are_gone_has_missed_nothing_yet() -> None:
    """Retention took the records of the last windows: nobody is marked for that, and everybody can be missed again."""
    log, first = Log(), Roll(0, RULES)
    log.tick()
    log.connect(0)
    log.tick()
    log.heartbeat(0)
    log.tick()
    effects = folded(log, first)
    beyond = len(log.records)
    second = Roll.restore(0, RULES, rows(effects).items())
    log.tick()
    assert told(folded(log, second, beyond)) == []
    log.tick()
    assert told(folded(log, second, beyond)) == [Presence.ABSENT]
