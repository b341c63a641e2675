"""A broker as the suite of ``test_log.py`` asks it: the simulation's, and a real Kafka."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import CommitFailedError, IllegalGenerationError, KafkaError, OffsetOutOfRangeError

from tests.contract.relay import BrokerRelay
from tests.sim.log import Log, NotAnsweredError, OutOfRangeError, Rec, Sender
from tests.sim.processors import Group
from tests.support.eventually import eventually
from tests.support.logs import START_MS

_names = (f"contract-{number}" for number in itertools.count())


class Broker(Protocol):
    """What is asked; ``partition`` None leaves it to the partitioner. OutOfRangeError where the log does not reach."""

    async def topic(self, partitions: int = 1, *, compacted: bool = False, lag_ms: int = 0) -> str:
        """Make a topic; return its name. What is younger than ``lag_ms`` is not compacted."""

    async def append(self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = 0) -> int:
        """Append a record and wait for the broker's word; return the partition."""

    async def append_all(self, topic: str, values: Sequence[bytes]) -> None:
        """Hand one producer records of partition 0 without waiting for each; return when all are written."""

    async def append_unanswered(self, topic: str, value: bytes) -> None:
        """Append to partition 0 over a connection on which no answer comes: NotAnsweredError."""

    async def read(self, topic: str, partition: int = 0, start: int = 0) -> list[Rec]:
        """Return what stands from an offset on, without a group."""

    async def ends(self, topic: str) -> tuple[int, int]:
        """Return the first offset of partition 0, and the next."""

    async def trim(self, topic: str, before: int) -> None:
        """Let retention take what stands before an offset of partition 0."""

    async def compact(self, topic: str, *others: str) -> None:
        """Return when the log cleaner was there; what was written last may be left out, as an active segment is.

        It had the same time for the others.
        """

    async def commit(self, group: str, topic: str, offset: int, *, overtaken: bool = False) -> bool:
        """Commit an offset of partition 0 as a member of the group; return whether it was taken.

        An ``overtaken`` member does not know that the group has begun another generation.
        """

    async def committed(self, group: str, topic: str) -> int | None:
        """Return the offset of partition 0 from which a new member of the group reads."""

    def now_ms(self) -> int:
        """Return the broker's clock."""


class Simulated:
    """The simulation's log and its group."""

    def __init__(self) -> None:
        self.time = START_MS
        self.logs: dict[str, Log] = {}
        self.lags: dict[str, int] = {}
        self.groups: dict[str, Group] = {}

    async def topic(self, partitions: int = 1, *, compacted: bool = False, lag_ms: int = 0) -> str:  # noqa: ARG002
        name = next(_names)
        self.lags[name] = lag_ms
        self.logs[name] = Log(self.now_ms, partitions)
        return name

    async def append(self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = 0) -> int:
        self.time += 1
        log = self.logs[topic]
        where = log.of(key or b"") if partition is None else partition
        log.append(topic, where, key, value)
        return where

    async def append_all(self, topic: str, values: Sequence[bytes]) -> None:
        sender = Sender(self.logs[topic], Random(1))
        for value in values:
            sender.post(topic, 0, None, value)
        while sender.delivered < sender.posted:
            sender.flush(7)

    async def append_unanswered(self, topic: str, value: bytes) -> None:
        log = self.logs[topic]
        log.mute = True
        try:
            log.append(topic, 0, None, value)
        finally:
            log.mute = False

    async def read(self, topic: str, partition: int = 0, start: int = 0) -> list[Rec]:
        return self.logs[topic].read(topic, partition, start)

    async def ends(self, topic: str) -> tuple[int, int]:
        part = self.logs[topic].part(topic, 0)
        return part.start, part.end

    async def trim(self, topic: str, before: int) -> None:
        self.logs[topic].trim(topic, 0, before)

    async def compact(self, topic: str, *others: str) -> None:
        for each in (topic, *others):
            self.logs[each].compact(each, self.lags[each])

    async def commit(self, group: str, topic: str, offset: int, *, overtaken: bool = False) -> bool:
        coordinator = self.groups.setdefault(group, Group(self.logs[topic]))
        generation = coordinator.generation
        if overtaken:
            coordinator.rebalance([])
        return coordinator.commit(generation, {0: offset})

    async def committed(self, group: str, topic: str) -> int | None:
        coordinator = self.groups.setdefault(group, Group(self.logs[topic]))
        return coordinator.committed.get(0)

    def now_ms(self) -> int:
        return self.time


class Real:
    """A Kafka at an address."""

    def __init__(self, servers: str) -> None:
        self.servers = servers

    @asynccontextmanager
    async def _producer(self, **options: Any) -> AsyncIterator[AIOKafkaProducer]:  # noqa: ANN401
        async with AIOKafkaProducer(
            **{"bootstrap_servers": self.servers, "acks": "all", "enable_idempotence": True, **options}
        ) as one:
            yield one

    @asynccontextmanager
    async def _consumer(self, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
        async with AIOKafkaConsumer(
            bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False, auto_offset_reset="none"
        ) as one:
            yield one

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def topic(self, partitions: int = 1, *, compacted: bool = False, lag_ms: int = 0) -> str:
        name = next(_names)
        config = {"message.timestamp.type": "LogAppendTime"}
        if compacted:
            config |= {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
            config |= {"min.compaction.lag.ms": str(lag_ms)}
        async with self._admin() as admin:
            await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
        return name

    async def append(self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = 0) -> int:
        async with self._producer() as one:
            # An hour ahead: the broker's time counts, and nobody else's.
            said = await one.send_and_wait(
                topic, value, key=key, partition=partition, timestamp_ms=self.now_ms() + 3_500_000
            )
        return int(said.partition)

    async def append_all(self, topic: str, values: Sequence[bytes]) -> None:
        async with self._producer(max_batch_size=64) as one:
            await asyncio.gather(*[await one.send(topic, value, partition=0) for value in values])

    async def append_unanswered(self, topic: str, value: bytes) -> None:
        async with BrokerRelay(self.servers) as relay:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.servers, acks="all", request_timeout_ms=1500, retry_backoff_ms=5000
            )
            await producer.start()
            try:
                await producer.send_and_wait(topic, b"to learn where to send", partition=0)
                relay.divert(producer)
                await producer.send_and_wait(topic, value, partition=0)
            except KafkaError as error:
                raise NotAnsweredError(str(error)) from error
            finally:
                await producer.stop()

    async def read(self, topic: str, partition: int = 0, start: int = 0) -> list[Rec]:
        place = TopicPartition(topic, partition)
        found: list[Rec] = []
        async with self._consumer() as one:
            one.assign([place])
            end = (await one.end_offsets([place]))[place]
            one.seek(place, start)
            try:
                while await one.position(place) != end:
                    records = (await one.getmany(place, timeout_ms=300)).get(place, ())
                    found += [Rec(record.offset, record.timestamp, record.key, record.value) for record in records]
            except OffsetOutOfRangeError as error:
                raise OutOfRangeError(str(error)) from error
        return found

    async def ends(self, topic: str) -> tuple[int, int]:
        place = TopicPartition(topic, 0)
        async with self._consumer() as one:
            first, last = await one.beginning_offsets([place]), await one.end_offsets([place])
        return first[place], last[place]

    async def trim(self, topic: str, before: int) -> None:
        async with self._admin() as admin:
            await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=before)})

    async def compact(self, topic: str, *others: str) -> None:
        count = len(await self.read(topic))
        await asyncio.sleep(0.2)
        for each in (*others, topic):
            await self.append(each, b"later", b"of another segment")

        async def cleaned() -> bool:
            return len(await self.read(topic)) <= count

        await eventually(cleaned, "the log cleaner", within_s=60, every_s=1)

    async def commit(self, group: str, topic: str, offset: int, *, overtaken: bool = False) -> bool:
        async with self._consumer(group) as one:
            one.subscribe([topic])
            await eventually(self._assigned(one), "an assignment", within_s=20)
            if overtaken:
                one._coordinator.generation -= 1
            try:
                await one.commit({TopicPartition(topic, 0): offset})
            except (CommitFailedError, IllegalGenerationError):
                return False
        return True

    def _assigned(self, consumer: AIOKafkaConsumer) -> Any:  # noqa: ANN401
        async def probe() -> bool:
            return bool(consumer.assignment())

        return probe

    async def committed(self, group: str, topic: str) -> int | None:
        place = TopicPartition(topic, 0)
        async with self._consumer(group) as one:
            one.assign([place])
            offset: int | None = await one.committed(place)
        return offset

    def now_ms(self) -> int:
        return int(time.time() * 1000)
