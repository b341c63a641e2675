"""Which offsets of each partition are to be read: a range in times or offsets, held against what the log has."""

from collections.abc import Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.replay.selection import Bound, Selection
from services.runtime.kafka import answered


class LogChangedError(Exception):
    """The topic is not the one that was read before."""


class Extent(NamedTuple):
    """What is to be read of one partition: offsets ``start`` to before ``end``; the log itself begins at ``first``."""

    partition: int
    first: int
    asked: int
    """Where the range begins, even if the log begins later."""
    end: int

    @property
    def start(self) -> int:
        """The first offset that can be read."""
        return max(self.first, self.asked)


async def selected(
    consumer: AIOKafkaConsumer, topic: str, places: list[TopicPartition], selection: Selection
) -> dict[int, Extent]:
    """Return what a selection asks for of each of these partitions."""
    if not places:
        return {}
    firsts = await answered(consumer.beginning_offsets, places, what=f"range of {topic}")
    ends = await answered(consumer.end_offsets, places, what=f"range of {topic}")
    starts = await _resolved(consumer, selection.start, places, dict.fromkeys(places, 0), ends)
    stops = await _resolved(consumer, selection.end, places, ends, ends)
    timed = selection.start is not None and selection.start.time_ms is not None
    extents = {}
    for place in places:
        asked, first, end = starts[place], firsts[place], ends[place]
        # Retention may have taken records of that time: nobody knows, so nobody may take the rest for the whole.
        if timed and asked <= first:
            asked = 0
        start = max(first, asked)
        extents[place.partition] = Extent(place.partition, first, asked, max(min(stops[place], end), start))
    return extents


async def given(consumer: AIOKafkaConsumer, topic: str, at: Mapping[int, tuple[int, int]]) -> dict[int, Extent]:
    """Return the extents from one offset to another. Raises LogChangedError where the log does not reach that far."""
    places = [TopicPartition(topic, number) for number in at]
    firsts = await answered(consumer.beginning_offsets, places, what=f"range of {topic}")
    ends = await answered(consumer.end_offsets, places, what=f"range of {topic}")
    for place in places:
        if ends[place] < at[place.partition][1]:
            raise LogChangedError(
                f"{topic}[{place.partition}] ends at {ends[place]}, but it once reached {at[place.partition][1]}: it "
                "was made anew or lost records, and what was read before is not of this log"
            )
    return {place.partition: Extent(place.partition, firsts[place], *at[place.partition]) for place in places}


async def _resolved(
    consumer: AIOKafkaConsumer,
    edge: Bound | None,
    places: list[TopicPartition],
    unbound: dict[TopicPartition, int],
    ends: dict[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """Return the offset of a bound in each partition."""
    if edge is None:
        return unbound
    if edge.time_ms is None:
        return {place: edge.places.get(place.partition, edge.offset or 0) for place in places}
    times = dict.fromkeys(places, edge.time_ms)
    found = await answered(consumer.offsets_for_times, times, what="offsets of a time")
    return {place: found[place].offset if found.get(place) is not None else ends[place] for place in places}
