"""Many cut off, at once or one by one: nobody alive is removed, and few are marked absent before the brake holds."""

from collections.abc import Container
from dataclasses import replace

import pytest

from schemas.workloads import Presence
from services.processor.core.record import Record
from services.processor.core.roll import Roll
from services.processor.core.rows import PartitionRow, decode, encode, partition_key
from services.processor.core.rules import Rules
from tests.support.logs import Log, key
from tests.support.oracle import OracleRules, oracle

AGENTS = 20
RULES = Rules(window_ms=1000, missed_windows=3, grace_windows=8, brake_least=10)
DEFAULT = replace(Rules(), window_ms=1000)
"""The rules that everybody has; how long a window is changes nothing but this log's timestamps."""
FLEET = 100


def joined(agents: int = AGENTS) -> Log:
    """Return a log in which everybody connected, and one window passed."""
    log = Log()
    log.tick()
    for number in range(agents):
        log.connect(number)
    log.tick()
    return log


def window(log: Log, heard: Container[int], agents: int = FLEET) -> None:
    """Let a window pass in which these of so many are heard."""
    for number in range(agents):
        if number in heard:
            log.heartbeat(number, seq=1 + log.window)
    log.tick()


def folded(log: Log, rules: Rules = DEFAULT) -> Roll:
    """Return the roll of a log."""
    roll = Roll(0, rules)
    for one in log.records:
        roll.fold(Record(*one))
    return roll


def presences(log: Log, rules: Rules = RULES) -> dict[bytes, set[Presence]]:
    """Return everything that each workload ever was, as roll and oracle agree on it."""
    roll = folded(log, rules)
    judged = oracle({0: log.records}, OracleRules(**{name: getattr(rules, name) for name in OracleRules._fields}), 1)
    assert {name: row.presence for name, row in roll.rows.items()} == {
        name: state.presence for name, state in judged.final.items()
    }
    was: dict[bytes, set[Presence]] = {}
    for transition in judged.transitions:
        assert transition.state is not None
        was.setdefault(transition.key, set()).add(transition.state.presence)
    return was


@pytest.mark.parametrize("heard", range(0, AGENTS + 1, 2))
def test_whenever_in_a_window_all_are_cut_off_nobody_is_called_absent(heard: int) -> None:
    """Those not heard yet in the window of the cut are due one window earlier: up to the brake's share of all."""
    log = joined()
    for number in range(heard):
        log.heartbeat(number, seq=1)
    for _ in range(8):
        log.tick()
    assert presences(log) == {key(number): {Presence.CONNECTED, Presence.UNKNOWN} for number in range(AGENTS)}


def test_a_few_are_called_absent_though_others_missed_a_window_lately() -> None:
    log = joined()
    for window in range(4):
        for number in range(5, AGENTS):
            if window != 2 or number < 12:
                log.heartbeat(number, seq=1 + window)
        log.tick()
    gone = {number for number in range(AGENTS) if Presence.ABSENT in presences(log)[key(number)]}
    assert gone == set(range(5))


def test_silence_that_ends_in_time_brakes_nothing() -> None:
    """Nobody is due, so there is nobody to protect."""
    log = joined()
    log.tick()
    log.tick()
    for number in range(AGENTS):
        log.heartbeat(number, seq=1)
    log.tick()
    assert presences(log) == {key(number): {Presence.CONNECTED} for number in range(AGENTS)}


def cut_off_and_back(windows: int, late: int) -> Log:
    """Return a log in which all were cut off, and all but the last four came back after so many windows."""
    log = joined()
    for _ in range(windows):
        log.tick()
    for number in range(AGENTS - late):
        log.heartbeat(number, seq=1)
    log.tick()
    return log


@pytest.mark.parametrize("later", [0, 1, 2])
def test_who_comes_back_a_little_after_most_is_not_called_absent_when_the_brake_lets_go(later: int) -> None:
    """Their silence under the brake proved nothing: they have their missed windows again."""
    log = cut_off_and_back(windows=8, late=4)
    for window in range(later):
        for number in range(AGENTS - 4):
            log.heartbeat(number, seq=2 + window)
        log.tick()
    for number in range(AGENTS - 4, AGENTS):
        log.heartbeat(number, seq=1)
    for number in range(AGENTS - 4):
        log.heartbeat(number, seq=9)
    log.tick()
    assert presences(log) == {key(number): {Presence.CONNECTED, Presence.UNKNOWN} for number in range(AGENTS)}


def test_who_does_not_come_back_with_the_others_is_called_absent_after_its_missed_windows() -> None:
    log = cut_off_and_back(windows=8, late=4)
    for window in range(3):
        assert all(Presence.ABSENT not in was for was in presences(log).values()), window
        for number in range(AGENTS - 4):
            log.heartbeat(number, seq=2 + window)
        log.tick()
    gone = {number for number in range(AGENTS) if Presence.ABSENT in presences(log)[key(number)]}
    assert gone == set(range(AGENTS - 4, AGENTS))


def test_the_brake_holds_again_for_those_who_wait_and_those_who_fall_silent_anew() -> None:
    log = cut_off_and_back(windows=8, late=4)
    for _ in range(6):
        log.tick()
    assert all(Presence.ABSENT not in was for was in presences(log).values())


def test_an_operator_who_releases_the_brake_has_the_silent_called_absent_at_once() -> None:
    log = joined()
    for _ in range(8):
        log.tick()
    log.release()
    log.tick()
    assert all(Presence.ABSENT in was for was in presences(log).values())


def ever(log: Log, *what: Presence) -> list[int]:
    """Tell how many were ever one of these."""
    was = presences(log, DEFAULT).values()
    return [sum(presence in one for one in was) for presence in what]


def cut_off_bit_by_bit(per: int, windows: int = 75) -> Log:
    """Return a log in which so many more are cut off in each window, until nobody is heard."""
    log = joined(FLEET)
    for passed in range(windows):
        window(log, range(per * passed, FLEET))
    return log


@pytest.mark.parametrize(("per", "absent"), [(2, 52), (4, 48), (5, 50), (10, 40)])
def test_a_cut_that_comes_bit_by_bit_brakes_before_anybody_is_removed(per: int, absent: int) -> None:
    """Expiring tokens, a rolling change of a firewall: those due at each tick are few."""
    log = cut_off_bit_by_bit(per)
    assert folded(log).braked
    assert ever(log, Presence.REMOVED, Presence.ABSENT) == [0, absent]


def test_a_cut_from_which_the_first_would_be_removed_before_one_is_due_anew_brakes_too() -> None:
    """Fifty are silent for nearly the whole grace, six more for two windows: nobody is due to be absent, but to go."""
    log = joined(FLEET)
    for passed in range(60):
        window(log, range(50, FLEET) if passed < DEFAULT.grace_windows + 1 else range(56, FLEET))
    assert ever(log, Presence.REMOVED, Presence.ABSENT) == [0, 50]


def test_who_comes_back_from_a_cut_that_came_bit_by_bit_releases_the_brake() -> None:
    log = cut_off_bit_by_bit(4, windows=30)
    assert folded(log).counts == (0, 52, 48)
    window(log, range(FLEET))
    roll = folded(log)
    assert not roll.braked
    assert roll.counts == (FLEET, 0, 0)


def test_who_was_absent_before_the_brake_has_the_whole_grace_once_it_lets_go() -> None:
    """For as long as it held, nobody could be heard."""
    log = cut_off_bit_by_bit(4, windows=40)
    for _ in range(DEFAULT.grace_windows):
        window(log, range(10, FLEET))
    assert not folded(log).braked
    assert not folded(log).removed
    window(log, range(10, FLEET))
    assert len(folded(log).removed) == 10


def test_machines_that_die_one_by_one_are_removed_after_their_grace_as_ever() -> None:
    """Who is removed counts no more: a fleet may well lose three quarters of itself in half an hour."""
    log = joined(FLEET)
    for passed in range(190):
        window(log, range(min(75, passed // 2), FLEET))
    assert ever(log, Presence.REMOVED, Presence.ABSENT, Presence.UNKNOWN) == [75, 75, 0]


@pytest.mark.parametrize("newcomers", [0, 60, 90, 120])
def test_however_many_join_elsewhere_they_do_not_release_the_brake(newcomers: int) -> None:
    """Newcomers say nothing of those who are cut off."""
    old, everybody = 30, 30 + newcomers
    log = joined(old)
    for passed in range(60):
        if passed == 12:
            for number in range(old, everybody):
                log.connect(number)
        window(log, range(everybody) if passed < 3 else range(old, everybody if passed >= 12 else old), everybody)
    assert folded(log).braked
    assert ever(log, Presence.REMOVED, Presence.ABSENT, Presence.UNKNOWN) == [0, 0, old]


def test_the_brake_lets_go_when_a_quarter_of_those_who_fell_silent_is_silent_still() -> None:
    """Not a quarter of everybody: sixty fell silent, so fifteen may be missing, and sixteen are too many."""
    log = joined(FLEET)
    for passed in range(12):
        window(log, range(FLEET) if passed < 3 else range(60, FLEET))
    window(log, range(16, FLEET))
    assert folded(log).braked
    window(log, range(15, FLEET))
    assert not folded(log).braked


def test_a_goodbye_under_the_brake_ends_the_doubt_about_one_who_was_silent() -> None:
    log = joined(FLEET)
    for passed in range(12):
        window(log, range(FLEET) if passed < 3 else range(60, FLEET))
    for number in range(45):
        log.goodbye(number, seq=50)
    window(log, range(60, FLEET))
    assert not folded(log).braked


def test_whom_an_operator_gave_up_the_brake_counts_no_more() -> None:
    """Sixty are dead, as somebody said: that a few more fall silent afterwards is judged among the forty."""
    log = joined(FLEET)
    for _ in range(12):
        window(log, range(60, FLEET))
    log.release()
    for _ in range(6):
        window(log, range(65, FLEET))
    roll = folded(log)
    assert not roll.braked
    assert roll.counts == (35, 0, 65)
    for _ in range(DEFAULT.grace_windows):
        window(log, range(65, FLEET))
    assert ever(log, Presence.REMOVED) == [65]


def test_whom_an_operator_gave_up_and_who_is_back_is_counted_as_anybody() -> None:
    log = joined(FLEET)
    for _ in range(12):
        window(log, range(60, FLEET))
    log.release()
    window(log, range(60, FLEET))
    for passed in range(30):
        window(log, range(4 * passed, FLEET))
    assert folded(log).braked
    assert ever(log, Presence.REMOVED) == [0]


def test_a_row_from_before_it_was_remembered_how_many_fell_silent_is_read() -> None:
    """An owner of this version takes over a partition that is braked: the share is that of everybody, as it was."""
    log = joined(FLEET)
    for _ in range(6):
        window(log, range(30, FLEET))
    roll = folded(log)
    old = encode(replace(roll.state, braked=True, doubted=None))
    for name in (b'"doubted":null,', b'"vouched":0,', b'"anew":0,'):
        assert name in old
        old = old.replace(name, b"")
    row = decode(partition_key(0), old)
    assert isinstance(row, PartitionRow)
    assert row.braked
    heir = Roll.restore(0, DEFAULT, [(partition_key(0), old), *((k, encode(r)) for k, r in roll.rows.items())])
    for passed, back in ((1, 26), (2, 25)):
        window(log, range(back, FLEET))
        for one in log.records[heir.resume if passed == 1 else heir.position :]:
            heir.fold(Record(*one))
        assert heir.braked == (back > 25)
