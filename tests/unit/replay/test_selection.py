from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.processor.core.record import Record
from services.replay.selection import Bound, Cut, Filter, Selection, SelectionError, bound, terms
from tests.support.logs import Log, key, session

NOW = datetime(2026, 11, 23, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", Bound(offset=120)),
        ("2:120", Bound(places={2: 120})),
        ("2:120,0:7", Bound(places={2: 120, 0: 7})),
        ("2026-11-23T03:00:00Z", Bound(time_ms=1_795_402_800_000)),
        ("2026-11-23T04:00:00+01:00", Bound(time_ms=1_795_402_800_000)),
        ("15m", Bound(time_ms=1_795_402_800_000)),
        ("beginning", None),
        ("end", None),
    ],
)
def test_a_place_is_an_offset_or_a_time(text: str, expected: Bound | None) -> None:
    assert bound(text, NOW) == expected


@pytest.mark.parametrize("text", ["-1", "noon", "2:", "2026-11-23T03:00:00", "1:2,", ""])
def test_another_place_is_an_error_that_says_what_was_expected(text: str) -> None:
    with pytest.raises(SelectionError, match="expected an offset"):
        bound(text, NOW)


def test_records_are_chosen_by_workload_group_session_and_type() -> None:
    log = Log()
    log.connect(1)
    log.heartbeat(2, of=7)
    log.tick()
    log.append(b"\xff", b"\xff")

    def chosen(*texts: str, namespace: str | None = None) -> list[int]:
        chooser = Filter(namespace, terms(texts))
        return [record.offset for record in log.records if chooser.takes(0, record)]

    assert chosen() == [0, 1, 2, 3]
    assert chosen(namespace="bookinfo") == [0, 1]
    assert chosen("group=bookinfo/ratings") == chosen("group=ratings") == [0, 1]
    assert chosen(f"key={key(1).decode()}") == [0]
    assert chosen(f"workload={key(1).decode().rpartition('/')[2]}") == [0]
    assert chosen("type=heartbeat,group=ratings") == chosen(f"session={session(7)}") == [1]
    assert chosen("type!=heartbeat", "partition=0") == [0, 2, 3]
    assert chosen("partition=1") == []


@pytest.mark.parametrize("text", ["key", "colour=red", "=x"])
def test_a_selector_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(SelectionError, match="expected NAME=VALUE"):
        terms([text])


@given(st.lists(st.integers(-5, 5)), st.integers(0, 60), st.integers(0, 60))
def test_a_time_cuts_at_the_first_record_that_is_not_older(steps: list[int], first: int, last: int) -> None:
    """As Kafka's offsetsForTimes does, whatever the broker's clock did."""
    times = [30 + sum(steps[: number + 1]) for number in range(len(steps))]
    records = [Record(offset, time, None, None) for offset, time in enumerate(times)]
    cut = Cut(Selection(Bound(time_ms=first), Bound(time_ms=last)), 0)
    begin = next((offset for offset, time in enumerate(times) if time >= first), len(times))
    end = next((offset for offset, time in enumerate(times) if time >= last), len(times))
    assert [record.offset for record in records if cut.takes(record)] == list(range(begin, end))
