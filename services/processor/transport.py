"""Faust's Kafka transport with two changes: events come a chunk at a time, and commits follow the rolls.

Faust spends about 150 µs on a message whatever is in it, so it gets one message per fetched chunk of a partition. And
it is not Faust's acknowledgements but ``Ownership.committable`` that says what is committed: events are declared
without acknowledgement, so that gaps in offsets (compaction, transactions, retention) mean nothing here.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.threads import WorkerThread

from schemas.topics import EVENTS, PROCESSOR_APP
from services.processor.ownership import Chunk, Ownership
from services.processor.producer import Producer
from services.processor.settings import GroupSettings
from services.runtime.config import KafkaSettings


class ChunkMessage(ConsumerMessage):  # type: ignore[misc]  # Faust has no usable types
    """A message to Faust; its offset is that of the chunk's last record."""

    __slots__ = ("chunk",)
    chunk: Chunk


class FetchedRecords(dict[Any, Sequence[Any]]):
    """Records by partition, with the number of the seek after which they were fetched."""

    seek = 0


class DaemonThread(WorkerThread):  # type: ignore[misc]
    """A thread that does not keep a crashed process from ending."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on to mode
        super().__init__(*args, **kwargs)
        self.daemon = True


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that aiokafka's consumer lives in; everything named ``_…`` runs there."""

    Worker = DaemonThread
    seek_number = 0
    """How often positions were set. Records fetched before the last time are stale, and are read again."""

    def _create_worker_consumer(self, transport: "Transport") -> AIOKafkaConsumer:
        self._assignor = self.app.assignor
        group = transport.group
        session_ms = int(group.session_timeout_seconds * 1000)
        return AIOKafkaConsumer(
            **transport.kafka.client_args(),
            client_id="muster-processor",
            group_id=PROCESSOR_APP,
            partition_assignment_strategy=[self.app.assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=group.chunk_records,
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=max(session_ms, 30_000),
            heartbeat_interval_ms=int(group.heartbeat_seconds * 1000),
            max_poll_interval_ms=300_000,
            fetch_max_wait_ms=500,
        )

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> FetchedRecords:  # noqa: ANN401 - Faust's signature
        records = FetchedRecords(await super()._fetch_records(*args, **kwargs))
        records.seek = self.seek_number
        return records

    async def seek_to_committed(self) -> Mapping[Any, int | None]:
        """Set the position of every assigned partition to its committed offset, and tell these."""
        offsets: Mapping[Any, int | None] = await self.call_thread(self._seek_to_committed)
        return offsets

    async def _seek_to_committed(self) -> dict[Any, int | None]:
        # aiokafka's own leaves the position where it is if the committed offset is 0 or none; and it awaits between
        # the seeks, so that records fetched before and after could not be told apart.
        consumer = self._ensure_consumer()
        offsets = {place: await consumer.committed(place) for place in consumer.assignment()}
        for place, offset in offsets.items():
            if offset or place.topic == EVENTS:
                consumer.seek(place, offset or 0)
        self.seek_number += 1
        return offsets

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        # aiokafka retries by itself what may pass. A group that rebalanced reads again from the commit before.
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
        try:
            await self._ensure_consumer().commit(wanted)
        except (CommitFailedError, IllegalStateError):
            return False
        return True


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Delivers chunks of events, other topics as Faust does, and commits what the rolls say."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on to Faust
        super().__init__(*args, **kwargs)
        self._ownership: Ownership = self.transport.ownership
        self._delivered: dict[Any, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Set all positions to the committed offsets; the flow goes on when recovery resumes it."""
        # Recovery leaves the flow on, seeks, and then empties the queues: a chunk fetched between the two would be
        # gone for good.
        self.stop_flow()
        self._delivered.clear()
        await super().perform_seek()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109 - Faust's signature
        """Yield the messages of one fetch."""
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if not records or self.should_stop:
            return
        if not self.flow_active:
            await self.perform_seek()
            return
        if records.seek != self._thread.seek_number:
            return
        for place, found in records.items():
            if not found or not (place in active or place in self._buffered_partitions):
                continue
            for message in self._messages(place, found, generation):
                if not self.flow_active or self.app.consumer_generation_id != generation:
                    return
                yield place, message

    def _messages(self, place: Any, records: Sequence[Any], generation: int) -> Iterator[Any]:  # noqa: ANN401
        if place.topic != EVENTS:
            for record in records:
                yield self._to_message(place, record)
            return
        last = records[-1]
        message = ChunkMessage(
            place.topic,
            place.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            None,
            b"",
            b"",
            None,
            tp=place,
            generation_id=generation,
        )
        message.chunk = Chunk(place.partition, generation, self._delivered.get(place), records)
        self._delivered[place] = last.offset
        yield message

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Let go of the partitions: end the slice under way, commit what it came to, and own nothing."""
        self.stop_flow()
        await self._ownership.hold()
        await self.commit()
        await super().on_partitions_revoked(revoked)
        self._ownership.lose()

    def _filter_tps_with_pending_acks(self, _topics: object = None) -> Iterator[Any]:
        return (TP(EVENTS, partition) for partition in tuple(self._ownership.owned))

    def _new_offset(self, tp: Any) -> int | None:  # noqa: ANN401
        return self._ownership.committable(tp.partition)


class Transport(driver.Transport):  # type: ignore[misc]
    """Makes the consumer and the producer, and tells them what they need to know."""

    Consumer = Consumer
    Producer = Producer

    def __init__(
        self,
        app: Any,  # noqa: ANN401
        kafka: KafkaSettings,
        group: GroupSettings,
        ownership: Ownership,
        fatal: Callable[[BaseException], None],
    ) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.kafka = kafka
        self.group = group
        self.ownership = ownership
        self.fatal = fatal
