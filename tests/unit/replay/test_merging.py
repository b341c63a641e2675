from hypothesis import given
from hypothesis import strategies as st

from services.processor.core.record import Record
from services.replay.chunks import Chunk, Gap, Why
from services.replay.merging import Merge

_log = st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=4), max_size=4)


@given(st.lists(_log, min_size=1, max_size=3), st.randoms())
def test_partitions_are_told_in_the_order_of_time_and_each_in_its_own(
    logs: list[list[list[int]]], order: object
) -> None:
    """However the fetches fall; within a partition offsets rule, even where the clock went back."""
    merge = Merge(range(len(logs)))
    told: list[tuple[int, Record]] = []
    offsets = dict.fromkeys(range(len(logs)), 0)
    left = {partition: [sorted(times) for times in chunks] for partition, chunks in enumerate(logs)}
    for chunks in left.values():
        flat = sorted(time for times in chunks for time in times)
        for times in chunks:
            times[:] = [flat.pop(0) for _ in times]
    while left:
        partition = order.choice(sorted(left))  # type: ignore[attr-defined]
        if not left[partition]:
            merge.finish(partition)
            del left[partition]
        else:
            times = left[partition].pop(0)
            first = offsets[partition]
            offsets[partition] += len(times)
            merge.feed(Chunk("t", partition, [Record(first + n, time, None, None) for n, time in enumerate(times)]))
        for item in merge.told():
            assert isinstance(item, Chunk)
            told.extend((item.partition, record) for record in item.records)  # type: ignore[misc]
    times = [record.timestamp for _, record in told]
    assert times == sorted(times)
    for partition, count in offsets.items():
        assert [record.offset for number, record in told if number == partition] == list(range(count))


def test_a_gap_keeps_its_place_among_the_records() -> None:
    merge = Merge([0])
    gap = Gap("t", 0, 1, 5, Why.RETENTION)
    for item in (Chunk("t", 0, [Record(0, 9, None, None)]), gap, Chunk("t", 0, [Record(5, 1, None, None)])):
        merge.feed(item)
    merge.finish(0)
    assert [getattr(item, "start", None) for item in merge.told()] == [None, 1, None]
