"""The way in: the sink's answers, from the partitions of ``muster.registrations`` that our keys are placed in.

A session that the processor would not have is answered under ``<workload key>/<session>``, in the same partition: so
nobody can overwrite the answer to the session that lives under the workload's key.
"""

from collections.abc import AsyncIterator, Iterable

import structlog
from aiokafka import AIOKafkaConsumer

from schemas import topics
from schemas.codec import Rejection, decode_answer
from schemas.registrations import Ended, Refused, Registered
from services.agent import metrics
from services.agent.clients import RETRY_MS, place
from services.runtime.config import KafkaSettings
from services.runtime.health import Health
from services.runtime.kafka import partition_count, reader

_POLL_MS = 1000


async def answers(
    settings: KafkaSettings, health: Health, keys: Iterable[bytes]
) -> tuple[AIOKafkaConsumer, AsyncIterator[tuple[bytes, Registered | Refused | Ended]]]:
    """Return a consumer to stop, and the answers that are written to these workloads' sessions from now on."""
    known = frozenset(keys)
    partitions = await partition_count(settings, topics.REGISTRATIONS, health=health)
    places = sorted({place(key, partitions) for key in known})
    consumer = await reader(settings, topics.REGISTRATIONS, places, "end", health=health, retry_backoff_ms=RETRY_MS)
    return consumer, _read(consumer, known)


async def _read(
    consumer: AIOKafkaConsumer, known: frozenset[bytes]
) -> AsyncIterator[tuple[bytes, Registered | Refused | Ended]]:
    while True:
        for chunk in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for record in chunk:
                key = record.key if record.key in known else (record.key or b"").rpartition(b"/")[0]
                if key not in known or record.value is None:
                    continue
                answer = decode_answer(record.value)
                if isinstance(answer, Rejection):
                    metrics.ANSWERS.labels("other").inc()
                    structlog.get_logger().warning(
                        "an answer cannot be read and is passed over",
                        reason=answer.reason,
                        words=answer.message,
                        partition=record.partition,
                        offset=record.offset,
                    )
                    continue
                metrics.ANSWERS.labels(answer.type).inc()
                yield key, answer
