"""How the owner's word comes to stand behind a zombie's again."""

from services.processor.core.rules import Rules
from services.processor.refresh import Refresh, windows_of

ROWS = {bytes([number]): None for number in range(10)}


def test_every_row_is_told_once_in_each_round() -> None:
    refresh = Refresh(windows=20)
    told = [key for window in range(41) for key in refresh.due(window, ROWS)]
    assert sorted(told) == sorted([*ROWS, *ROWS])


def test_a_round_takes_a_third_of_what_compaction_waits() -> None:
    assert windows_of(Rules().window_ms) == 120


def test_nothing_is_told_before_a_window_was_closed() -> None:
    refresh = Refresh(windows=1)
    assert refresh.due(7, ROWS) == []
    assert refresh.due(7, ROWS) == []
    assert len(refresh.due(8, ROWS)) == 10


def test_whoever_catches_up_with_many_windows_tells_everything_once() -> None:
    refresh = Refresh(windows=5)
    refresh.due(0, ROWS)
    assert sorted(refresh.due(1000, ROWS)) == sorted(ROWS)


def test_a_row_that_was_forgotten_meanwhile_is_not_told() -> None:
    refresh = Refresh(windows=2)
    refresh.due(0, ROWS)
    first = refresh.due(1, ROWS)
    left = {key: None for key in ROWS if key != bytes([7])}
    second = refresh.due(2, left)
    assert bytes([7]) not in first + second
    assert len(first) == 5
