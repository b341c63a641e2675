from datetime import UTC, datetime

import pytest

from schemas.message import rfc3339
from services.replay.moments import Reach, milliseconds, moment, written

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T03:12:26.702Z", "2026-11-23T03:12:26.702Z"),
        ("2026-11-23T03:12:26Z", "2026-11-23T03:12:26.999Z"),
        ("2026-11-23T03:12", "2026-11-23T03:12:59.999Z"),
        ("2026-11-23 03:12", "2026-11-23T03:12:59.999Z"),
        ("2026-11-23T03:12+02:00", "2026-11-23T01:12:59.999Z"),
        ("03:12", "2026-11-23T03:12:59.999Z"),
        ("12:00", "2026-11-23T12:00:59.999Z"),
        ("12:01", "2026-11-22T12:01:59.999Z"),
        ("03:12:26", "2026-11-23T03:12:26.999Z"),
        ("15m", "2026-11-23T11:45:30.000Z"),
        ("2d", "2026-11-21T12:00:30.000Z"),
        ("14:30+03:00", "2026-11-23T11:30:59.999Z"),
    ],
)
def test_a_time_is_the_end_of_what_was_written(text: str, expected: str) -> None:
    assert rfc3339(moment(text, NOW)) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "25:00", "2026-13-01T00:00", "03:12.5", "2026-11-23"])
def test_what_is_no_time_is_refused_with_forms_that_are(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        moment(text, NOW)


def test_milliseconds_are_exact() -> None:
    assert milliseconds(moment("2026-11-23T03:12:26.702Z", NOW)) % 1000 == 702


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("23:50", "2026-11-22T23:50:00.000Z"),  # the day before: the log was there
        ("03:12", "2026-11-23T03:12:00.000Z"),
        ("03:30", "2026-11-23T03:30:00.000Z"),  # beyond the end, and no day before has it either
        ("15m", "2026-11-23T03:00:00.000Z"),
    ],
)
def test_a_time_without_a_day_is_of_the_log_it_is_asked_of(text: str, expected: str) -> None:
    reach = Reach(datetime(2026, 11, 23, 3, 15, tzinfo=UTC), datetime(2026, 11, 22, 23, 0, tzinfo=UTC))
    assert rfc3339(written(text, reach).begin) == expected
