"""The way out: events to ``muster.events``, in order, through an outage of Kafka.

While the broker is away old heartbeats are worthless and are dropped. What others build on is kept until delivered: a
connect, a goodbye, and a heartbeat that commits to another hash chain. One publisher serves any number of sessions.
"""

import asyncio
from collections import deque
from functools import partial
from itertools import count
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import topics
from schemas.events import AgentEvent, Heartbeat
from services.agent import metrics
from services.agent.clients import RETRY_MS, place
from services.runtime.config import KafkaSettings
from services.runtime.health import Health
from services.runtime.kafka import close, partition_count, producer

CONDITION = "kafka producer"
_LOOK_S = 0.25
_REPLACE_S = 1.0
"""What failed one producer may fail the next: they are not replaced faster than this."""


class Letter(NamedTuple):
    """An event on its way."""

    key: bytes
    event: AgentEvent
    posted: float


class Publisher:
    """Delivers events in the order they are posted; ``run`` is its only task."""

    def __init__(self, settings: KafkaSettings, health: Health, *, patience_s: float = 3.0) -> None:
        self.settings = settings
        self._health = health
        self._patience_s = patience_s
        """How long a delivery may take before Kafka counts as unreachable."""
        self._waiting: deque[Letter] = deque()
        self._in_flight: dict[int, Letter] = {}
        self._numbers = count()
        self._places: dict[bytes, int] = {}
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failure: BaseException | None = None
        self._unreachable_since: float | None = None
        self._dropped = 0
        self._delivered_at = 0.0

    @property
    def stuck(self) -> bool:
        """Whether Kafka is unreachable, and something is already under way that will tell when it no longer is."""
        return self._unreachable_since is not None and bool(self._waiting or self._in_flight)

    def post(self, key: bytes, event: AgentEvent) -> None:
        """Take an event."""
        self._waiting.append(Letter(key, event, asyncio.get_running_loop().time()))
        self._idle.clear()
        self._more.set()

    async def flush(self, timeout_s: float) -> bool:
        """Wait until everything posted is delivered; say whether it was in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Deliver until cancelled; a producer that fails for good is replaced by a new one."""
        watch = asyncio.create_task(self._watch())
        try:
            while True:
                partitions = await partition_count(self.settings, topics.EVENTS, health=self._health)
                self._places.clear()
                client = await producer(
                    self.settings,
                    what=CONDITION,
                    health=self._health,
                    linger_ms=5,
                    retry_backoff_ms=RETRY_MS,
                    max_batch_size=256 * 1024,
                )
                try:
                    await self._deliver(client, partitions)
                except KafkaError as cause:
                    structlog.get_logger().warning("replacing the Kafka producer", reason=repr(cause))
                finally:
                    await close(client)
                    self._take_back()
                await asyncio.sleep(_REPLACE_S)
        finally:
            watch.cancel()

    async def _deliver(self, client: AIOKafkaProducer, partitions: int) -> None:
        self._failure = None
        while True:
            while self._waiting:
                letter = self._waiting.popleft()
                number = next(self._numbers)
                self._in_flight[number] = letter
                if (partition := self._places.get(letter.key)) is None:
                    partition = self._places[letter.key] = place(letter.key, partitions)
                sent = await client.send(topics.EVENTS, letter.event.to_json(), key=letter.key, partition=partition)
                sent.add_done_callback(partial(self._delivered, number))
            self._more.clear()
            await self._more.wait()
            if self._failure is not None:
                raise self._failure

    def _delivered(self, number: int, sent: asyncio.Future[object]) -> None:
        if sent.cancelled() or number not in self._in_flight:
            return  # it was of a producer that was replaced
        if (failure := sent.exception()) is not None:
            # The letter stays in flight: it is taken back when the producer is replaced.
            self._failure = failure
            self._more.set()
            return
        metrics.EVENTS.labels(self._in_flight.pop(number).event.type).inc()
        self._delivered_at = asyncio.get_running_loop().time()
        if self._unreachable_since is not None:
            self._reachable()
        self._settle()

    def _settle(self) -> None:
        if not self._in_flight and not self._waiting:
            self._idle.set()

    def _take_back(self) -> None:
        """Put what a producer did not deliver back in front, in order, but for its heartbeats."""
        self._waiting.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()
        self._drop_heartbeats()

    async def _watch(self) -> None:
        """Notice that deliveries take too long: aiokafka itself retries silently, as it should."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_S)
            oldest = next(iter(self._in_flight.values()), None) or (self._waiting[0] if self._waiting else None)
            if oldest is None or self._unreachable_since is not None:
                continue
            since = max(oldest.posted, self._delivered_at)
            if loop.time() - since > self._patience_s:
                self._unreachable(since)

    def _unreachable(self, since: float) -> None:
        self._unreachable_since = since
        why = "Kafka is unreachable; heartbeats wait until it is back"
        seconds = round(asyncio.get_running_loop().time() - since, 1)
        structlog.get_logger().warning(why, at=self.settings.bootstrap_servers, for_s=seconds)
        self._health.set(CONDITION, ok=False, why=why)
        self._drop_heartbeats()

    def _reachable(self) -> None:
        seconds = asyncio.get_running_loop().time() - (self._unreachable_since or 0)
        structlog.get_logger().info("Kafka is reachable again", after_s=round(seconds, 1), dropped=self._dropped)
        self._unreachable_since = None
        self._dropped = 0
        self._health.set(CONDITION, ok=True)

    def _drop_heartbeats(self) -> None:
        kept = deque(letter for letter in self._waiting if not _worthless(letter.event))
        self._drop(len(self._waiting) - len(kept))
        self._waiting = kept
        self._settle()

    def _drop(self, number: int) -> None:
        self._dropped += number
        metrics.DROPPED.inc(number)


def _worthless(event: AgentEvent) -> bool:
    """Tell whether an event that comes late might as well not come at all."""
    return isinstance(event, Heartbeat) and event.chain is None
