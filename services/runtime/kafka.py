"""Kafka's clients as all services use them: they wait for a broker that is not there, and say so.

The clients themselves reconnect once they run; what is here is how they start, and how a topic is read whole.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Literal, Protocol, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalArgumentError, KafkaError, UnknownTopicOrPartitionError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential, wait_random

from services.runtime.config import KafkaSettings
from services.runtime.health import Health

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0
_CLOSE_S = 2.0
"""How long a client may take to stop, seconds."""
_POLL_MS = 250
"""How long one poll of a catch-up waits for records, milliseconds; the end is looked at after each."""


class Startable(Protocol):
    """What aiokafka's producer, consumer and admin client have in common."""

    async def start(self) -> None:
        """Connect."""


class Closable(Protocol):
    """What aiokafka's producer and consumer have in common."""

    async def stop(self) -> None:
        """Disconnect."""


C = TypeVar("C", bound=Startable)
T = TypeVar("T")


def persistent(what: str, health: Health | None = None) -> AsyncRetrying:
    """Return tenacity's endless retrying for calls to Kafka, which logs why ``what`` waits and shows it in /readyz."""

    def say(state: RetryCallState) -> None:
        cause = state.outcome.exception() if state.outcome else None
        why = f"waiting for Kafka ({cause})"
        if health is not None:
            health.set(what, ok=False, why=why)
        structlog.get_logger().warning(
            why, what=what, attempt=state.attempt_number, next_in_s=round(state.upcoming_sleep, 1)
        )

    return AsyncRetrying(
        wait=wait_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S) + wait_random(0, FIRST_WAIT_S),
        retry=retry_if_exception(_may_pass),
        before_sleep=say,
        reraise=True,
    )


def _may_pass(error: BaseException) -> bool:
    """Whether time can mend it: a broker that is down or refuses us, but not a wrong call of ours."""
    return isinstance(error, KafkaError | OSError) and not isinstance(error, IllegalArgumentError)


async def answered(
    call: Callable[..., Awaitable[T]],
    *args: Any,  # noqa: ANN401 - handed on to ``call``
    what: str,
    health: Health | None = None,
) -> T:
    """Return what ``call`` returns, however long the broker is away; ``what`` names it in logs and in /readyz."""
    result: T = await persistent(what, health)(call, *args)
    if health is not None:
        health.set(what, ok=True)
    return result


async def started(client: C, what: str, health: Health | None = None) -> C:
    """Start a client of aiokafka, however long the broker is away; ``what`` names it in logs and in /readyz."""
    await answered(client.start, what=what, health=health)
    return client


async def producer(
    settings: KafkaSettings,
    *,
    what: str = "kafka producer",
    health: Health | None = None,
    **options: Any,  # noqa: ANN401 - handed on to aiokafka
) -> AIOKafkaProducer:
    """Return a started producer that loses and doubles nothing: idempotent, acknowledged by all replicas."""
    options = {"acks": "all", "enable_idempotence": True, **options}
    return await started(AIOKafkaProducer(**settings.client_args(), **options), what, health)


async def partition_count(
    settings: KafkaSettings, topic: str, *, what: str | None = None, health: Health | None = None
) -> int:
    """Return how many partitions ``topic`` has, waiting for the broker and for the topic to exist."""
    what = what or f"topic {topic}"
    admin = AIOKafkaAdminClient(**settings.client_args())
    try:
        await started(admin, what, health)
        return await answered(_partition_count, admin, topic, what=what, health=health)
    finally:
        await admin.close()


async def _partition_count(admin: AIOKafkaAdminClient, topic: str) -> int:
    # All topics are asked for, because asking for one by name would create it where the broker creates topics itself.
    for known in await admin.describe_topics():
        if known["topic"] == topic and known["partitions"]:
            return len(known["partitions"])
    raise UnknownTopicOrPartitionError(f"topic {topic} does not exist; create it with `muster topics apply`")


async def reader(
    settings: KafkaSettings,
    topic: str,
    partitions: Iterable[int] | None = None,
    start: Literal["beginning", "end"] = "beginning",
    *,
    health: Health | None = None,
    **options: Any,  # noqa: ANN401 - handed on to aiokafka
) -> AIOKafkaConsumer:
    """Return a started consumer without a group: it reads ``partitions`` (None: all) and commits nothing.

    It waits for the broker and for the topic to exist. ``end`` is the end at the time of this call: what is written
    after it returned is read.
    """
    count = await partition_count(settings, topic, health=health)
    options = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "group_id": None, **options}
    what = f"reader of {topic}"
    consumer = await started(AIOKafkaConsumer(**settings.client_args(), **options), what, health)
    assigned = [TopicPartition(topic, number) for number in (range(count) if partitions is None else partitions)]
    consumer.assign(assigned)
    try:
        if start == "beginning":
            await answered(consumer.seek_to_beginning, *assigned, what=what, health=health)
        else:
            ends: dict[TopicPartition, int] = await answered(consumer.end_offsets, assigned, what=what, health=health)
            for place, offset in ends.items():
                consumer.seek(place, offset)
    except BaseException:
        await consumer.stop()
        raise
    return consumer


async def read_to_end(
    consumer: AIOKafkaConsumer, health: Health | None = None
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Yield what lies before the end of the consumer's partitions, in chunks of one partition, each in order.

    The end is the one at the time of the call. Records behind it that a chunk happens to hold are yielded too, so that
    reading on with the same consumer continues without a gap.
    """
    places = sorted(consumer.assignment())
    what = f"catching up with {', '.join(sorted({place.topic for place in places}))}"
    ends: dict[TopicPartition, int] = await answered(consumer.end_offsets, places, what=what, health=health)
    behind = set(places)
    while True:
        # The position also passes what holds no records: compacted offsets and the markers of transactions.
        behind = {place for place in behind if await consumer.position(place) < ends[place]}
        if not behind:
            return
        for chunk in (await consumer.getmany(*behind, timeout_ms=_POLL_MS)).values():
            if chunk:
                yield chunk


async def close(client: Closable) -> None:
    """Stop a client within a bounded time: alone it waits for a broker that is away, or ends in CancelledError."""
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait({stopping}, timeout=_CLOSE_S)
    stopping.cancel()
