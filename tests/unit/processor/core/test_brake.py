"""Everybody cut off at once: the cut falls inside a window, and nobody is marked absent before the brake holds."""

import pytest

from schemas.workloads import Presence
from services.processor.core.record import Record
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from tests.support.logs import Log, key
from tests.support.oracle import OracleRules, oracle

AGENTS = 20
RULES = Rules(window_ms=1000, missed_windows=3, grace_windows=8, brake_least=10)
ORACLE = OracleRules(window_ms=1000, missed_windows=3, grace_windows=8, brake_least=10)


def joined() -> Log:
    """Return a log in which everybody connected, and one window passed."""
    log = Log()
    log.tick()
    for number in range(AGENTS):
        log.connect(number)
    log.tick()
    return log


def presences(log: Log) -> dict[bytes, set[Presence]]:
    """Return everything that each workload ever was, as roll and oracle agree on it."""
    roll = Roll(0, RULES)
    for one in log.records:
        roll.fold(Record(*one))
    judged = oracle({0: log.records}, ORACLE, 1)
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
