"""Ticks at another distance stand where somebody called the roll, and nowhere else."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_event
from schemas.events import Tick
from schemas.names import CONTROL_KEY
from services.processor.core.record import Record
from services.replay.core.rewindow import Rewindow, real
from tests.support.logs import START_MS, Log

WINDOW = 1000


def rewound(log: Log, wanted_ms: int) -> list[Record]:
    rewindow = Rewindow(WINDOW, wanted_ms)
    return [*rewindow.take(log.records), *rewindow.end()]


def ticks(records: list[Record]) -> list[tuple[int, int]]:
    """Return the windows that are closed, and when, in milliseconds since the log's beginning."""
    events = [(decode_event(one.key, one.value), one.timestamp - START_MS) for one in records]
    return [(event.window, time) for event, time in events if isinstance(event, Tick)]


def test_shorter_windows_are_closed_among_the_records_of_their_time() -> None:
    log = Log()
    log.connect(1)
    log.tick()
    log.now += 600
    log.heartbeat(1)
    log.tick(400)
    found = rewound(log, 500)
    assert ticks(found) == [(0, 1000), (1, 1500), (2, 2000)]
    assert [real(one.offset) for one in found] == [0, 1, 2, 2, 3]
    assert [one.key == CONTROL_KEY for one in found] == [False, True, True, False, True]


def test_longer_windows_are_closed_between_the_recorded_ticks() -> None:
    log = Log()
    for _ in range(7):
        log.tick()
    assert ticks(rewound(log, 2500)) == [(0, 1000), (1, 3500), (2, 6000)]


def test_an_interval_in_which_nobody_called_the_roll_stays_one_window() -> None:
    log = Log()
    log.tick()
    log.tick()
    log.now += 20_000
    log.heartbeat(1)
    log.resumed()
    log.tick(3000)
    log.tick()
    assert ticks(rewound(log, 500)) == [(0, 1000), (1, 1500), (2, 2000), (3, 25_000), (4, 25_500), (5, 26_000)]


def test_a_tick_that_was_ignored_counts_for_nothing() -> None:
    log = Log()
    log.tick()
    log.tick(window=0, after_ms=100)
    log.tick(window=1, after_ms=100)
    log.tick(after_ms=800)
    assert ticks(rewound(log, 500)) == [(0, 1000), (1, 1500), (2, 2000)]


def test_a_brokers_clock_that_went_back_leaves_a_window_whose_length_nobody_knows() -> None:
    """The roll makes it void, as it did the recorded one."""
    log = Log()
    log.tick()
    log.tick(after_ms=-5000)
    log.tick()
    assert ticks(rewound(log, 500)) == [(0, 1000), (1, -4000), (2, -3500), (3, -3000)]


@given(st.lists(st.integers(0, 900), max_size=40), st.integers(50, 5000))
def test_every_other_record_is_kept_in_its_order_and_ticks_are_the_wanted_distance_apart(
    pauses: list[int], wanted_ms: int
) -> None:
    log = Log()
    for number, pause in enumerate(pauses):
        log.now += pause
        log.heartbeat(number % 3, seq=number)
        if number % 4 == 3:
            log.now = START_MS + (number // 4 + 1) * WINDOW * 4
            log.tick(0)
    found = rewound(log, wanted_ms)
    kept = [real(one.offset) for one in found if one.key != CONTROL_KEY]
    assert kept == [one.offset for one in log.records if one.key != CONTROL_KEY]
    assert [one.offset for one in found] == sorted({one.offset for one in found})
    times = [time for _, time in ticks(found)]
    assert all(later - sooner >= wanted_ms / 2 for sooner, later in pairwise(times))
    assert [window for window, _ in ticks(found)] == list(range(len(times)))
