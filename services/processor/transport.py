"""Faust's Kafka transport with two changes: records come a chunk at a time, and commits follow the rolls.

Faust spends about 150 µs on a message whatever is in it, so it gets one message per fetched chunk of a partition, of
the events and of the changelog it recovers from. And it is not Faust's acknowledgements but
``Ownership.committable`` that says what is committed: events are declared without acknowledgement, so that gaps in
offsets (compaction, transactions, retention) mean nothing here.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from schemas.topics import EVENTS
from services.processor.chunk import Chunk
from services.processor.fetching import ConsumerThread
from services.processor.ownership import Ownership
from services.processor.producer import Producer
from services.processor.settings import GroupSettings
from services.runtime.config import KafkaSettings


class ChunkMessage(ConsumerMessage):  # type: ignore[misc]  # Faust has no usable types
    """A message to Faust; its offset is that of the chunk's last record."""

    __slots__ = ("chunk",)
    chunk: Chunk


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Delivers chunks, and commits what the rolls say."""

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

    async def seek_wait(self, partitions: Mapping[Any, int]) -> None:
        """Set positions for recovery."""
        for place in partitions:
            self._delivered.pop(place, None)
        await super().seek_wait(partitions)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109 - Faust's signature
        """Yield a message per partition of one fetch; what comes too late to be delivered is put back."""
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        late = []
        for place, found in records.items():
            flows = self.flow_active and self.app.consumer_generation_id == generation
            if not flows or not (place in active or place in self._buffered_partitions):
                late.append(place)
            elif found and not self._thread.stale(place, records):
                yield place, self._message(place, found, generation)
        if late and not self.should_stop:
            await self._thread.put_back(late, records)

    def _message(self, place: Any, records: Sequence[Any], generation: int) -> ChunkMessage:  # noqa: ANN401
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
        return message

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Let go of the partitions: end the slice under way, commit what it came to, and own nothing."""
        self.stop_flow()
        await self._ownership.hold()
        await self.commit()
        await super().on_partitions_revoked(revoked)
        self._ownership.lose()

    def end_of(self, place: Any) -> int | None:  # noqa: ANN401
        """Return the newest end of a partition of the log that is known, if one is."""
        fetched, assigned = self.highwater(place), self._thread.ends.get((place.topic, place.partition))
        return max((end for end in (fetched, assigned) if end is not None), default=None)

    def verify_event_path(self, now: float, tp: Any) -> None:  # noqa: ANN401
        """Faust compares clocks of two kinds here and raises false alarms on idle partitions; lag is our metric."""

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
