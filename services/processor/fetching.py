"""The thread in which aiokafka's consumer lives: it fetches, sets positions and commits.

Its weight-bearing rule: what was fetched of a partition is delivered, or its position is put back, or was set anew.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from mode.threads import WorkerThread

from schemas.topics import EVENTS, PRESENCE_CHANGELOG, PROCESSOR_APP, WORKLOADS


class OffsetsAheadError(Exception):
    """The log is not the one that was folded; only a person can say what is to become of it."""


class FetchedRecords(dict[Any, Sequence[Any]]):
    """Records by partition, and how often the position of each partition had been set when they were fetched."""

    seeks: Mapping[Any, int]


class DaemonThread(WorkerThread):  # type: ignore[misc]
    """A thread that does not keep a crashed process from ending."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on to mode
        super().__init__(*args, **kwargs)
        self.daemon = True


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that aiokafka's consumer lives in; everything named ``_…`` runs there."""

    Worker = DaemonThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on to Faust
        super().__init__(*args, **kwargs)
        self.seeks: Counter[Any] = Counter()
        """How often the position of each partition was set. Records fetched before the last time are stale."""
        self.ends: dict[Any, int] = {}
        """Where the log's partitions ended when they were assigned: known before anything is fetched of them."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:  # noqa: ANN401 - Transport imports this module
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

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401 - Faust's signature
    ) -> FetchedRecords:
        # No partition is any partition to aiokafka; Faust empties its own set when it pauses them.
        found = await super()._fetch_records(consumer, active_partitions, **kwargs) if active_partitions else {}
        records = FetchedRecords(found)
        records.seeks = {place: self.seeks[place] for place in records}
        return records

    def stale(self, place: Any, records: FetchedRecords) -> bool:  # noqa: ANN401
        """Tell whether the position was set since these were fetched: they will be read again, or were skipped."""
        return self.seeks[place] != records.seeks[place]

    async def put_back(self, places: Sequence[Any], records: FetchedRecords) -> None:
        """Read again what was fetched of these partitions and not delivered."""
        await self.call_thread(self._put_back, places, records)

    async def _put_back(self, places: Sequence[Any], records: FetchedRecords) -> None:
        consumer = self._ensure_consumer()
        for place in places:
            if records[place] and not self.stale(place, records) and place in consumer.assignment():
                self._seek(consumer, place, records[place][0].offset)

    def _seek(self, consumer: AIOKafkaConsumer, place: Any, offset: int) -> None:  # noqa: ANN401
        self.seeks[place] += 1
        consumer.seek(TopicPartition(*place), offset)

    async def _seek_wait(self, consumer: AIOKafkaConsumer, partitions: Mapping[Any, int]) -> None:
        self.seeks.update(partitions.keys())  # Faust seeks before it awaits
        await super()._seek_wait(consumer, partitions)

    async def seek_to_committed(self) -> Mapping[Any, int | None]:
        """Set the position of every assigned partition to its committed offset, and tell these."""
        offsets: Mapping[Any, int | None] = await self.call_thread(self._seek_to_committed)
        return offsets

    async def _seek_to_committed(self) -> dict[Any, int | None]:
        # aiokafka's own leaves the position where it is if the committed offset is 0 or none; and it awaits between
        # the seeks, so that records fetched before and after could not be told apart.
        consumer = self._ensure_consumer()
        offsets = {place: await consumer.committed(place) for place in consumer.assignment()}
        ends = await consumer.end_offsets([place for place in offsets if place.topic == EVENTS])
        _check_ends(offsets, ends)
        self.ends = {(place.topic, place.partition): end for place, end in ends.items()}
        for place, offset in offsets.items():
            if offset or place.topic == EVENTS:
                self._seek(consumer, place, offset or 0)
        return offsets

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        # aiokafka retries by itself what may pass. A group that rebalanced reads again from the commit before.
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
        try:
            await self._ensure_consumer().commit(wanted)
        except (CommitFailedError, IllegalStateError):
            return False
        return True


def _check_ends(offsets: Mapping[Any, int | None], ends: Mapping[Any, int]) -> None:
    for place, end in ends.items():
        offset = offsets[place] or 0
        if offset > end:
            raise OffsetsAheadError(
                f"{place.topic}[{place.partition}] ends at {end}, but the group {PROCESSOR_APP} committed {offset}: "
                f"the topic was made anew or lost records. To begin anew, delete the group and the topics "
                f"{PRESENCE_CHANGELOG} and {WORKLOADS}, then run: muster topics apply"
            )
