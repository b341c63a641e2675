"""The oracle's own claims, each as a log a person can check by hand."""

from schemas.workloads import Presence, Reason
from tests.support.logs import Log, key, session
from tests.support.oracle import OracleRules, Verdicts, oracle

RULES = OracleRules(window_ms=1000, missed_windows=2, grace_windows=3, forget_windows=4, brake_least=3)


def judged(log: Log) -> Verdicts:
    return oracle({0: log.records}, RULES)


def presences(log: Log, who: int = 0) -> list[Presence | None]:
    return [t.state and t.state.presence for t in judged(log).transitions if t.key == key(who)]


def started(*who: int) -> Log:
    """Return a log whose first window, which is void, is behind it and in whose second all of these connected."""
    log = Log()
    log.tick()
    for number in who:
        log.connect(number)
    return log


def test_a_workload_that_connects_is_connected_since_that_record() -> None:
    log = started()
    offset = log.connect(0)
    state = judged(log).final[key(0)]
    assert (state.presence, state.reason, state.since_ms) == (Presence.CONNECTED, Reason.ESTABLISHED, log.now)
    assert (state.revision, state.window) == (offset, 1)


def test_a_workload_absent_from_missed_windows_is_absent_and_after_the_grace_removed_and_later_forgotten() -> None:
    log = started(0)
    for _ in range(1 + 2 + 3 + 4):
        log.tick()
    assert presences(log) == [Presence.CONNECTED, Presence.ABSENT, Presence.REMOVED, None]
    assert key(0) not in judged(log).final


def test_one_heartbeat_in_every_second_window_keeps_a_workload_connected() -> None:
    log = started(0)
    for seq in range(1, 6):
        log.tick()
        log.tick()
        log.heartbeat(0, seq=seq)
    assert presences(log) == [Presence.CONNECTED]


def test_a_void_window_is_not_missed() -> None:
    log = started(0)
    log.tick()
    log.tick()
    log.resumed()
    log.tick()
    assert presences(log) == [Presence.CONNECTED]
    log.tick()
    assert presences(log) == [Presence.CONNECTED, Presence.ABSENT]


def test_a_tick_that_comes_too_soon_or_names_another_window_closes_nothing() -> None:
    log = started(0)
    for _ in range(4):
        log.tick(after_ms=100, window=log.window)
    log.tick(after_ms=1000, window=7)
    assert judged(log).windows == {0: 1}


def test_a_tick_of_a_clock_that_went_back_closes_a_void_window() -> None:
    log = started(0)
    log.tick()
    log.tick(after_ms=-60_000)
    log.tick(after_ms=-60_000)
    assert judged(log).windows == {0: 4}
    assert presences(log) == [Presence.CONNECTED]


def test_an_event_of_a_superseded_session_changes_nothing() -> None:
    log = started(0)
    log.connect(0, of=1)
    log.connect(0, of=0, seq=5)
    log.goodbye(0, of=0, seq=6)
    state = judged(log).final[key(0)]
    assert (state.session, state.presence) == (session(1), Presence.CONNECTED)


def test_a_redelivered_goodbye_of_an_older_place_in_the_session_is_not_heeded() -> None:
    log = started(0)
    log.heartbeat(0, seq=3)
    log.goodbye(0, seq=2)
    assert presences(log) == [Presence.CONNECTED]


def test_a_session_that_said_goodbye_cannot_come_back() -> None:
    log = started(0)
    log.goodbye(0, seq=1)
    log.heartbeat(0, seq=2, introduces="v2")
    assert presences(log) == [Presence.CONNECTED, Presence.ABSENT]
    log.connect(0, of=1)
    assert presences(log) == [Presence.CONNECTED, Presence.ABSENT, Presence.CONNECTED]


def test_most_of_a_partition_falling_silent_at_once_is_doubted_until_an_operator_releases_the_brake() -> None:
    log = started(0, 1, 2, 3)
    for _ in range(3 + 8):
        log.tick()
    assert presences(log) == [Presence.CONNECTED, Presence.UNKNOWN]
    log.release()
    log.tick()
    assert presences(log) == [Presence.CONNECTED, Presence.UNKNOWN, Presence.ABSENT]


def test_a_release_ordered_before_the_brake_does_not_disarm_it() -> None:
    log = started(0, 1, 2, 3)
    log.tick()
    log.tick()
    log.release()
    log.tick()
    assert presences(log) == [Presence.CONNECTED, Presence.UNKNOWN]


def test_a_release_ordered_in_a_void_window_takes_effect_at_the_next_tick_that_counts() -> None:
    log = started(0, 1, 2, 3)
    for _ in range(3):
        log.tick()
    log.resumed()
    log.release()
    log.tick()
    assert presences(log) == [Presence.CONNECTED, Presence.UNKNOWN]
    log.tick()
    assert presences(log) == [Presence.CONNECTED, Presence.UNKNOWN, Presence.ABSENT]


def test_attendance_that_recovers_releases_the_brake() -> None:
    log = started(0, 1, 2, 3)
    for _ in range(3):
        log.tick()
    for who in range(1, 4):
        log.heartbeat(who, seq=1)
    log.tick()
    assert presences(log, 1) == [Presence.CONNECTED, Presence.UNKNOWN, Presence.CONNECTED]
    assert presences(log, 0) == [Presence.CONNECTED, Presence.UNKNOWN]
    for window in range(3):
        for who in range(1, 4):
            log.heartbeat(who, seq=2 + window)
        log.tick()
    assert presences(log, 0) == [Presence.CONNECTED, Presence.UNKNOWN, Presence.ABSENT]


def test_bytes_that_are_no_event_are_rejected_where_they_stand() -> None:
    log = started()
    offset = log.append(b"a/b/c", b"\xff")
    assert judged(log).rejected == [(0, offset)]


def test_a_workload_in_a_partition_its_key_does_not_hash_to_is_rejected() -> None:
    log = Log()
    for who in range(20):
        log.connect(who)
    both = oracle({0: log.records, 1: log.records}, RULES)
    assert len(both.rejected) == 20
    assert len(both.final) == 20
