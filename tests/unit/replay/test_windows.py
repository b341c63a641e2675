import pytest

from services.replay.core.windows import Mark, Strip, Windows


def _drawn(*runs: tuple[Mark, int]) -> str:
    strip = Strip()
    window = 0
    for mark, length in runs:
        for _ in range(length):
            strip.add(window, mark)
            window += 1
    picture = strip.picture()
    assert picture is not None
    assert (picture.first, picture.last) == (0, window - 1)
    return picture.drawn()


def test_every_kind_of_window_has_a_mark_of_its_own() -> None:
    assert _drawn(*((mark, 1) for mark in Mark)) == "▇▁○╳·"


def test_a_long_run_is_a_mark_and_a_count() -> None:
    assert _drawn((Mark.HEARD, 41), (Mark.MISSED, 3), (Mark.AWAY, 9)) == "▇×41 ▁▁▁·×9"


def test_of_many_runs_the_middle_is_counted_and_both_ends_are_drawn() -> None:
    runs = [(Mark.HEARD, 1), (Mark.MISSED, 1)] * 20
    assert _drawn(*runs) == "▇▁▇▁▇▁▇▁… (▇×8 ▁×8) …▇▁▇▁▇▁▇▁▇▁▇▁▇▁▇▁"


def test_no_window_is_no_picture() -> None:
    assert Strip().picture() is None


@pytest.mark.parametrize(("windows", "expected"), [((41, 42, 43), "41–43"), ((1, 3, 4, 9), "1, 3–4, 9"), ((5,), "5")])
def test_windows_are_told_as_ranges(windows: tuple[int, ...], expected: str) -> None:
    told = Windows()
    for window in windows:
        told.add(window)
    assert (str(told), len(told)) == (expected, len(windows))
