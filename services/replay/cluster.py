"""A live cluster as a source: read by assignment, without a consumer group, so that nothing there changes.

It is read up to the end that the topic had when it was opened; ``follow`` goes on from there.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.partitioner import murmur2

from schemas.message import instant
from services.replay import extents
from services.replay.chunks import Chunk, Gap, Item, Why
from services.replay.extents import Extent
from services.replay.merging import Merge
from services.replay.moments import Reach
from services.replay.selection import Selection
from services.runtime.config import KafkaSettings
from services.runtime.kafka import answered, close, reader, started

_POLL_MS = 250
_POLLS = 8
_MARKERS = 16
"""So many offsets before the end, one has a record, and not a transaction's marker."""
_FETCH: dict[str, Any] = {"fetch_max_bytes": 16 * 1024 * 1024, "max_partition_fetch_bytes": 4 * 1024 * 1024}


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
            ranges = await extents.selected(
                consumer, topic, [one for one in everything if selection.includes(one.partition)], selection
            )
        else:
            ranges = await extents.given(consumer, topic, at)
        for number, one in ranges.items():
            consumer.seek(TopicPartition(topic, number), one.start)
        ends = await answered(consumer.end_offsets, everything, what=f"end of {topic}")
        logs = {place.partition: offset for place, offset in ends.items()}
        yield Live(cluster, topic, len(everything), config, ranges, consumer, logs)
    finally:
        await close(consumer)


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
