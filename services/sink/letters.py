"""Reads ``muster.rejected``: of what the processor would not have, that which kept a session from beginning.

Nothing of it is ever written back there: a letter that cannot be read is passed over.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from pydantic import ValidationError

from schemas.rejected import Rejected
from schemas.topics import EVENTS, REJECTED
from services.runtime.config import KafkaSettings
from services.runtime.health import Health
from services.runtime.kafka import answered, close, reader
from services.sink.core.refusal import Refusal, by_processor

POLL_MS = 1000
MOST = 200
"""So many letters are read before others have a turn."""


async def letters(settings: KafkaSettings, health: Health, since: datetime) -> AsyncIterator[Sequence[Refusal]]:
    """Yield the refusals in what was rejected since then, in chunks, and go on with what is rejected from now on."""
    consumer = await reader(settings, REJECTED, start="end", health=health)
    try:
        await _seek(consumer, health, since)
        while True:
            for chunk in (await consumer.getmany(timeout_ms=POLL_MS, max_records=MOST)).values():
                yield [refusal for record in chunk if (refusal := read(record)) is not None]
            await asyncio.sleep(0)
    finally:
        await close(consumer)


def read(record: ConsumerRecord) -> Refusal | None:
    """Return the refusal in a record; None where there is none."""
    try:
        letter = Rejected.model_validate_json(record.value or b"")
    except ValidationError as error:
        words = "a record of muster.rejected cannot be read and is passed over"
        structlog.get_logger().warning(words, offset=record.offset, faults=error.error_count())
        return None
    if letter.by != "processor" or letter.topic != EVENTS:
        return None
    return by_processor(letter)


async def _seek(consumer: AIOKafkaConsumer, health: Health, since: datetime) -> None:
    """Go back to the first letter since then; where there is none, stay at the end."""
    millis = int((since - timedelta(seconds=1)).timestamp() * 1000)
    wanted = dict.fromkeys(consumer.assignment(), millis)
    found = await answered(consumer.offsets_for_times, wanted, what=f"reader of {REJECTED}", health=health)
    for place, at in found.items():
        if at is not None:
            consumer.seek(place, at.offset)
