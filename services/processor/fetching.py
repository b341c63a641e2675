"""The thread in which aiokafka's consumer lives: it fetches, sets positions and commits.

Its weight-bearing rule: what was fetched before positions were set is told apart from what was fetched after.
"""

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

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> FetchedRecords:  # noqa: ANN401 - Faust's signature
        records = FetchedRecords(await super()._fetch_records(*args, **kwargs))
        records.seek = self.seek_number
        return records

    async def _seek_wait(self, *args: Any) -> None:  # noqa: ANN401
        self.seek_number += 1  # Faust seeks before it awaits
        await super()._seek_wait(*args)

    async def seek_to_committed(self) -> Mapping[Any, int | None]:
        """Set the position of every assigned partition to its committed offset, and tell these."""
        offsets: Mapping[Any, int | None] = await self.call_thread(self._seek_to_committed)
        return offsets

    async def _seek_to_committed(self) -> dict[Any, int | None]:
        # aiokafka's own leaves the position where it is if the committed offset is 0 or none; and it awaits between
        # the seeks, so that records fetched before and after could not be told apart.
        consumer = self._ensure_consumer()
        offsets = {place: await consumer.committed(place) for place in consumer.assignment()}
        _check_ends(offsets, await consumer.end_offsets([place for place in offsets if place.topic == EVENTS]))
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


def _check_ends(offsets: Mapping[Any, int | None], ends: Mapping[Any, int]) -> None:
    for place, end in ends.items():
        offset = offsets[place] or 0
        if offset > end:
            raise OffsetsAheadError(
                f"{place.topic}[{place.partition}] ends at {end}, but the group {PROCESSOR_APP} committed {offset}: "
                f"the topic was made anew or lost records. To begin anew, delete the group and the topics "
                f"{PRESENCE_CHANGELOG} and {WORKLOADS}, then run: muster topics apply"
            )
