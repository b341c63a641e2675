"""What orders and brakes are in force, from the newest row of each partition in the processor's changelog."""

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import ValidationError

from schemas.message import instant, rfc3339
from schemas.topics import PRESENCE_CHANGELOG
from services.processor.core.orders import described
from services.processor.core.rows import Hold, PartitionRow, decode, partition_key
from services.runtime.config import KafkaSettings
from services.runtime.kafka import answered, close, reader

TAIL = 500
"""Records read back at first: a partition's row is written at each tick, behind the rows of who changed in it."""
PATIENCE_S = 10.0
"""So long is waited for somebody who may not read the changelog, or has none."""


async def in_force(kafka: KafkaSettings) -> list[str]:
    """Return a line per brake and per hold; one that says why, where it cannot be known."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            rows = await _rows(kafka)
    except TimeoutError:
        return [f"whether removals are held or a partition is braked is not known: {PRESENCE_CHANGELOG} cannot be read"]
    return lines(rows)


def lines(rows: Iterable[PartitionRow]) -> list[str]:
    """Return in words what the rows say; a hold of several partitions is one line."""
    told = []
    held: dict[tuple[str, str, str], list[tuple[int, Hold]]] = {}
    for row in sorted(rows, key=lambda row: row.partition):
        if row.braked:
            told.append(f"partition {row.partition} is braked: nobody in it is marked absent or removed")
        for scope, hold in row.held.items():
            held.setdefault((scope, hold.who, hold.why), []).append((row.partition, hold))
    for (scope, _who, _why), places in sorted(held.items()):
        hold = places[0][1]
        numbers = ", ".join(str(partition) for partition, _hold in places)
        told.append(
            f"{described(scope, hold)} (partition{'s' if len(places) > 1 else ''} {numbers}, "
            f"since {rfc3339(instant(hold.since))})"
        )
    return told


async def _rows(kafka: KafkaSettings) -> list[PartitionRow]:
    consumer = await reader(kafka, PRESENCE_CHANGELOG)
    try:
        places: list[TopicPartition] = list(consumer.assignment())
        begins = await answered(consumer.beginning_offsets, places, what="changelog")
        ends = await answered(consumer.end_offsets, places, what="changelog")
        found = [await _newest(consumer, place, begins[place], ends[place]) for place in places]
    finally:
        await close(consumer)
    return [row for row in found if row is not None]


async def _newest(consumer: AIOKafkaConsumer, place: TopicPartition, begin: int, end: int) -> PartitionRow | None:
    """Return the newest row of a partition itself: read back further and further until there is one."""
    tail = TAIL
    while True:
        start = max(begin, end - tail)
        consumer.seek(place, start)
        row: PartitionRow | None = None
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=250)).get(place, ()):
                if record.key == partition_key(place.partition) and record.value is not None:
                    row = _later(row, record.value)
        if row is not None or start == begin:
            return row
        tail *= 8


def _later(known: PartitionRow | None, raw: bytes) -> PartitionRow | None:
    """Return the later of two rows: one that a former owner wrote late tells of an earlier tick."""
    try:
        row = decode(partition_key(0), raw)
    except ValidationError:
        return known
    newer = isinstance(row, PartitionRow) and (known is None or row.revision >= known.revision)
    return row if newer and isinstance(row, PartitionRow) else known
