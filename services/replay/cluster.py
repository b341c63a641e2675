"""A live cluster as a source: read by assignment, without a consumer group, so that nothing there changes.

It is read up to the end that the topic had when it was opened; ``follow`` goes on from there.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.partitioner import murmur2

from schemas.message import instant
from services.replay.chunks import Chunk, Gap, Item, Why
from services.replay.merging import Merge
from services.replay.moments import Reach
from services.replay.selection import Bound, Selection
from services.runtime.config import KafkaSettings
from services.runtime.kafka import answered, close, reader, started

_POLL_MS = 250
_POLLS = 8
_MARKERS = 16
"""So many offsets before the end, one has a record, and not a transaction's marker."""
_FETCH: dict[str, Any] = {"fetch_max_bytes": 16 * 1024 * 1024, "max_partition_fetch_bytes": 4 * 1024 * 1024}


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


@dataclass
class Live:
    """One topic of a cluster, opened for reading."""

    cluster: str
    topic: str
    partitions: int
    config: dict[str, str]
    extents: dict[int, Extent]
    consumer: AIOKafkaConsumer
    ends: dict[int, int]
    """Where the log ended when it was opened."""
    _next: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many offsets there are to read."""
        return sum(max(0, one.end - one.start) for one in self.extents.values())

    def only_last(self, count: int) -> None:
        """Read only so many of the last offsets of each partition."""
        for number, one in self.extents.items():
            start = max(one.first, one.end - count)
            self.extents[number] = one._replace(asked=start)
            self.consumer.seek(TopicPartition(self.topic, number), start)

    async def items(self) -> AsyncIterator[Item]:
        """Yield the range, in the order of time."""
        open_ends = {number: one.end for number, one in self.extents.items()}
        merge = Merge(open_ends)
        self._next = {number: one.start for number, one in self.extents.items()}
        for number, one in sorted(self.extents.items()):
            if one.asked < one.start:
                yield Gap(self.topic, number, one.asked, one.start, Why.RETENTION)
        while True:
            for number in [number for number, end in open_ends.items() if self._next[number] >= end]:
                del open_ends[number]
                merge.finish(number)
            for item in merge.told():
                yield item
            if not open_ends:
                return
            async for item in self._fetched(sorted(merge.starved & open_ends.keys()), open_ends):
                merge.feed(item)

    async def follow(self) -> AsyncIterator[Item]:
        """Yield what is written from now on, as it comes; without end."""
        while True:
            async for item in self._fetched(sorted(self.extents), {}):
                yield item

    async def reach(self) -> Reach | None:
        """Return from when to when the log tells, by its first and last records; it is read no further then."""
        places = [TopicPartition(self.topic, number) for number in self.ends]
        firsts = await answered(self.consumer.beginning_offsets, places, what=f"reach of {self.topic}")
        lasts = {place: max(firsts[place], self.ends[place.partition] - _MARKERS) for place in places}
        filled = [place for place in places if firsts[place] < self.ends[place.partition]]
        times: list[int] = []
        for offsets in (firsts, lasts):
            for place in filled:
                self.consumer.seek(place, offsets[place])
            waiting = set(filled)
            for _ in range(_POLLS):
                found = await self.consumer.getmany(*waiting, timeout_ms=_POLL_MS) if waiting else {}
                times += [time for records in found.values() for time in _ends(records)]
                waiting -= {place for place, records in found.items() if records}
        return Reach(instant(max(times)), instant(min(times))) if times else None

    async def _fetched(self, numbers: Sequence[int], ends: Mapping[int, int]) -> AsyncIterator[Item]:
        places = [TopicPartition(self.topic, number) for number in numbers]
        found = await self.consumer.getmany(*places, timeout_ms=_POLL_MS)
        for place in places:
            number, records = place.partition, found.get(place, [])
            # The position also passes what holds no records.
            reached = await self.consumer.position(place)
            end = ends.get(number, reached)
            if reached > end:
                records = [record for record in records if record.offset < end]
                # Fetched and not yielded: whoever follows reads on from the end.
                self.consumer.seek(place, end)
            for item in await self._whole(number, records, min(reached, end)):
                yield item

    async def _whole(self, number: int, records: Sequence[Any], end: int) -> list[Item]:
        """Return the records, and the gaps among them and behind them up to ``end``."""
        begun, self._next[number] = self._next[number], end
        if len(records) == end - begun:
            return [Chunk(self.topic, number, records)] if records else []
        # Asked now: retention goes on while the topic is read.
        place = TopicPartition(self.topic, number)
        firsts = await answered(self.consumer.beginning_offsets, [place], what=f"start of {self.topic}")
        kept = Why.COMPACTION if "compact" in self.config.get("cleanup.policy", "") else Why.MARKERS

        def why(offset: int) -> Why:
            return Why.RETENTION if offset < firsts[place] else kept

        return list(_pieces(self.topic, number, records, range(begun, end), why))


def _ends(records: Sequence[Any]) -> tuple[int, ...]:
    return (records[0].timestamp, records[-1].timestamp) if records else ()


def _pieces(
    topic: str, number: int, records: Sequence[Any], offsets: range, why: Callable[[int], Why]
) -> Iterator[Item]:
    """Yield the records between the gaps, and the gaps."""
    expected, begun = offsets.start, 0
    for index, record in enumerate(records):
        if record.offset > expected:
            if index > begun:
                yield Chunk(topic, number, records[begun:index])
            yield Gap(topic, number, expected, record.offset, why(expected))
            begun = index
        expected = record.offset + 1
    if len(records) > begun:
        yield Chunk(topic, number, records[begun:])
    if expected < offsets.stop:
        yield Gap(topic, number, expected, offsets.stop, why(expected))


@asynccontextmanager
async def opened(
    settings: KafkaSettings, topic: str, selection: Selection, at: Mapping[int, tuple[int, int]] | None = None
) -> AsyncIterator[Live]:
    """Open a range of a topic for reading, waiting for the broker; ``at`` says start and end of partitions instead."""
    consumer = await reader(settings, topic, **_FETCH)
    try:
        cluster, config = await _described(settings, topic)
        everything = sorted(consumer.assignment())
        if at is None:
            extents = await _extents(
                consumer, topic, [one for one in everything if selection.includes(one.partition)], selection
            )
        else:
            extents = await _given(consumer, topic, at)
        for number, one in extents.items():
            consumer.seek(TopicPartition(topic, number), one.start)
        ends = await answered(consumer.end_offsets, everything, what=f"end of {topic}")
        logs = {place.partition: offset for place, offset in ends.items()}
        yield Live(cluster, topic, len(everything), config, extents, consumer, logs)
    finally:
        await close(consumer)


async def _extents(
    consumer: AIOKafkaConsumer, topic: str, places: list[TopicPartition], selection: Selection
) -> dict[int, Extent]:
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


async def _given(consumer: AIOKafkaConsumer, topic: str, at: Mapping[int, tuple[int, int]]) -> dict[int, Extent]:
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


async def _described(settings: KafkaSettings, topic: str) -> tuple[str, dict[str, str]]:
    """Return the cluster's id and the topic's configuration."""
    admin = AIOKafkaAdminClient(**settings.client_args())
    try:
        await started(admin, "kafka admin")
        cluster = await answered(admin.describe_cluster, what="cluster id")
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, None)
        answers = await answered(admin.describe_configs, [resource], what=f"configuration of {topic}")
        config = {entry[0]: entry[1] for answer in answers for entry in answer.resources[0][4]}
        return str(cluster["cluster_id"]), config
    finally:
        await admin.close()


def home(partitions: int) -> Callable[[int], Callable[[bytes], bool]]:
    """Return what tells whether Kafka's default partitioner sends a key to a partition."""
    return lambda number: lambda key: bool((murmur2(key) & 0x7FFFFFFF) % partitions == number)
