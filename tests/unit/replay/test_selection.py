import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.processor.core.record import Record
from services.replay.selection import Bound, Cut, Filter, Selection, SelectionError, terms
from tests.support.logs import Log, key, session


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


def test_a_partition_that_is_not_there_is_an_error_however_it_is_named() -> None:
    for selection in (Selection(partitions=frozenset({0, 7})), Selection(start=Bound(places={7: 120}))):
        selection.check("muster.events", range(8))
        with pytest.raises(SelectionError, match=r"no partition 7: muster\.events has partitions 0 to 3 here"):
            selection.check("muster.events", range(4))
