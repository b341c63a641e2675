from datetime import UTC, datetime

import pytest

from services.replay.moments import Reach
from services.replay.places import bound
from services.replay.selection import Bound, SelectionError

END = datetime(2026, 11, 23, 3, 15, tzinfo=UTC)
AT_THREE = Bound(time_ms=1_795_402_800_000)


def reach() -> Reach:
    return Reach(END)


def unasked() -> Reach:
    raise AssertionError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", Bound(offset=120)),
        ("2:120", Bound(places={2: 120})),
        ("0:7", Bound(places={0: 7})),
        ("10:120", Bound(places={10: 120})),
        ("2:20,0:7", Bound(places={2: 20, 0: 7})),
        ("10:30,11:30", Bound(places={10: 30, 11: 30})),
        ("2026-11-23T03:00:00Z", AT_THREE),
        ("2026-11-23T03:00", AT_THREE),
        ("2026-11-23T04:00:00+01:00", AT_THREE),
        ("beginning", None),
        ("end", None),
    ],
)
def test_a_place_is_an_offset_or_a_time_and_asks_no_log_what_day_it_is(text: str, expected: Bound | None) -> None:
    assert bound(text, unasked) == expected


@pytest.mark.parametrize("text", ["03:00", "03:00:00", "15m", "900s", "04:00+01:00"])
def test_a_time_without_a_day_is_of_the_log(text: str) -> None:
    assert bound(text, reach) == AT_THREE


@pytest.mark.parametrize("text", ["3:10", "0:35"])
def test_what_could_be_a_time_and_an_offset_is_refused_with_how_to_write_either(text: str) -> None:
    partition, _, offset = text.partition(":")
    with pytest.raises(
        SelectionError, match=f"write 0{text} for the time, and -p {partition} with the offset {offset}"
    ):
        bound(text, unasked)


@pytest.mark.parametrize("text", ["-1", "noon", "2:", "1:2,", "", "24:30", "10:61", "99999d"])
def test_another_place_is_an_error_that_says_what_was_expected(text: str) -> None:
    with pytest.raises(SelectionError, match="expected an offset"):
        bound(text, lambda: Reach(datetime(1, 1, 2, tzinfo=UTC)))
