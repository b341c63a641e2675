"""The sink's side of Kafka: the compacted topics read whole, answers and dead letters written."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner

from schemas.codec import Rejection
from schemas.message import instant
from schemas.names import CONTROL_KEY, WorkloadKey
from schemas.registrations import Refused
from schemas.rejected import Rejected
from schemas.removals import Removal
from schemas.topics import ACTIONS, REGISTRATIONS, REJECTED, REMOVALS, RESTORES, WORKLOADS
from services.runtime.config import KafkaSettings
from services.runtime.health import Health
from services.runtime.kafka import answered, close, producer, read_to_end, reader
from services.sink import metrics
from services.sink.core.actions import Answered
from services.sink.state import State
from services.sink.trace import Line

POLL_MS = 1000
Take = Callable[[ConsumerRecord], Rejection | None]
"""Takes a record, or says why it is none."""


class Records:
    """Reads what is wanted and what was answered; writes answers."""

    def __init__(self, settings: KafkaSettings, state: State, health: Health) -> None:
        self.settings = settings
        self.state = state
        self.health = health
        self._producer: AIOKafkaProducer | None = None
        self._workloads: AIOKafkaConsumer | None = None
        self._restores: AIOKafkaConsumer | None = None
        self._log = structlog.get_logger()

    async def catch_up(self) -> None:
        """Read the topics to their end, however long Kafka is away."""
        self._producer = await producer(self.settings, health=self.health)
        answers = await reader(self.settings, REGISTRATIONS, health=self.health)
        try:
            async for chunk in read_to_end(answers, self.health):
                await self._take(chunk, self._answer)
        finally:
            await close(answers)
        self._restores = await reader(self.settings, RESTORES, health=self.health)
        async for chunk in read_to_end(self._restores, self.health):
            await self._take(chunk, self._restore)
        self._workloads = await reader(self.settings, WORKLOADS, health=self.health)
        async for chunk in read_to_end(self._workloads, self.health):
            await self._take(chunk, self._workload)
        self._log.info("caught up", workloads=len(self.state.wanted), answers=len(self.state.answered))

    async def follow(self, concern: Callable[[Iterable[bytes]], None]) -> None:
        """Take what is written from now on, until cancelled; aiokafka waits where Kafka is away."""
        if self._workloads is None or self._restores is None:
            raise RuntimeError("catch_up comes before follow")
        async with asyncio.TaskGroup() as both:
            both.create_task(self._follow(self._workloads, self._workload, concern))
            both.create_task(self._follow(self._restores, self._restore, concern))

    async def _follow(self, consumer: AIOKafkaConsumer, take: Take, concern: Callable[[Iterable[bytes]], None]) -> None:
        while True:
            for chunk in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                concern(await self._take(chunk, take))

    def _workload(self, record: ConsumerRecord) -> Rejection | None:
        return self.state.take_workload(record.key or b"", record.value)

    def _answer(self, record: ConsumerRecord) -> Rejection | None:
        return self.state.take_answer(record.key or b"", record.value, instant(record.timestamp))

    def _restore(self, record: ConsumerRecord) -> Rejection | None:
        return self.state.take_restore(record.key or b"", record.value, instant(record.timestamp))

    async def _take(self, chunk: Iterable[ConsumerRecord], take: Take) -> list[bytes]:
        """Take records one by one; what is none goes to muster.rejected. Returns the keys."""
        keys = []
        for record in chunk:
            why = take(record)
            if why is not None:
                await self._reject(record, why)
            elif record.key != CONTROL_KEY:  # an order to all is of no workload
                keys.append(record.key or b"")
        return keys

    async def _reject(self, record: ConsumerRecord, why: Rejection) -> None:
        metrics.REJECTED.labels(why.reason).inc()
        self._log.warning("rejected a record", topic=record.topic, offset=record.offset, why=why.message)
        letter = Rejected.model_construct(
            reason=why.reason,
            message=why.message,
            by="sink",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=instant(record.timestamp),
            key=record.key,
            value=record.value,
        )
        await self._send(REJECTED, record.key, letter.to_json())

    async def publish(self, key: bytes, answer: Answered | None) -> None:
        """Write an answer, None takes it out; returns when it is durable, however long Kafka is away."""
        await self._send(REGISTRATIONS, key, answer.to_json() if answer is not None else None)

    async def tell(self, whose: WorkloadKey, session: str, answer: Refused | None) -> None:
        """Write an answer to one session of a workload, None takes it out; durable when this returns.

        It has a key of its own, so that it never overwrites what the living session was told, in the partition of the
        workload's key, where the agent reads.
        """
        if self._producer is None:
            raise RuntimeError("catch_up comes first")
        numbers = sorted(await self._producer.partitions_for(REGISTRATIONS))
        key = whose.to_bytes()
        partition = DefaultPartitioner()(key, numbers, numbers)
        value = answer.to_json() if answer is not None else None
        await self._send(REGISTRATIONS, key + b"/" + session.encode(), value, partition)

    async def keep(self, key: bytes, removal: Removal) -> None:
        """Write a removal; returns when it is durable, however long Kafka is away."""
        await self._send(REMOVALS, key, removal.to_json())

    async def trace(self, lines: Sequence[Line]) -> None:
        """Write what the sink did; returns when all is durable, however long Kafka is away."""
        # Without the health: the sink is as ready as ever where nobody hears what it does.
        await answered(self._trace, lines, what=f"writing to {ACTIONS}")

    async def _trace(self, lines: Sequence[Line]) -> None:
        if self._producer is None:
            raise RuntimeError("catch_up comes first")
        sent = [await self._producer.send(ACTIONS, one.to_json(), key) for key, one in lines]
        await asyncio.gather(*sent)

    async def _send(self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = None) -> None:
        if self._producer is None:
            raise RuntimeError("catch_up comes first")
        send = self._producer.send_and_wait
        await answered(send, topic, value, key, partition, what="kafka producer", health=self.health)

    async def close(self) -> None:
        """Close the clients."""
        for one in (self._workloads, self._restores, self._producer):
            if one is not None:
                await close(one)
