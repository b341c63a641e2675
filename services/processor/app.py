"""The Faust application: partitions, recovery and rebalancing are Faust's; nothing here decides."""

import asyncio
import importlib.util
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import faust
import faust.streams
import structlog
from faust.types import TP

from schemas.topics import EVENTS, PROCESSOR_APP
from services.processor.changelog import Changelog
from services.processor.core.trust import Trust
from services.processor.ownership import Ownership
from services.processor.producer import Producer
from services.processor.settings import ProcessorSettings
from services.processor.table import PresenceTable
from services.processor.transport import Transport

QUEUED_CHUNKS = 4
"""Chunks that wait for the agent; more stay in Kafka."""


class App(faust.App):  # type: ignore[misc]  # Faust has no usable types
    """Faust without files: the tables live in memory and in Kafka."""

    def _create_directories(self) -> None:
        """Faust makes a folder for tables on disk; there are none."""


class Worker:
    """One worker of the processor, before it is started; ``fatal`` is called with what only a restart can mend."""

    def __init__(
        self, settings: ProcessorSettings, partitions: int, trust: Trust, fatal: Callable[[BaseException], None]
    ) -> None:
        if importlib.util.find_spec("faust._cython.streams") is None or faust.streams._CStreamIterator is None:  # noqa: SLF001
            raise RuntimeError(
                "Faust's compiled stream iterator is missing (its pure-Python one can acknowledge what it did not "
                "process): install faust-streaming from a wheel, or with a C compiler, and without NO_CYTHON"
            )
        # Faust's services log under the names of our modules that they start and stop.
        logging.getLogger(__package__).setLevel(logging.WARNING)
        self._fatal = fatal
        self.recovered = 0
        """How often the tables were recovered: once per generation of the group."""
        self.app = App(
            PROCESSOR_APP,
            broker=f"kafka://{settings.kafka.bootstrap_servers.replace(',', ';')}",
            store="memory://",
            topic_partitions=partitions,
            topic_allow_declare=False,
            topic_disable_leader=True,
            table_standby_replicas=0,
            processing_guarantee="at_least_once",
            broker_commit_interval=settings.group.commit_seconds,
            broker_session_timeout=settings.group.session_timeout_seconds,
            broker_heartbeat_interval=settings.group.heartbeat_seconds,
            stream_recovery_delay=0.0,
            web_enabled=False,
            autodiscover=False,
        )
        self.ownership = Ownership(settings.rules.rules(), partitions, self, trust)
        self.app.transport = Transport(self.app, settings.kafka, settings.group, self.ownership, fatal)
        self.app.tables.add(PresenceTable(self.app, self._restored, fatal, partitions=partitions))
        events = self.app.topic(
            EVENTS,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            acks=False,
            maxsize=QUEUED_CHUNKS,
        )
        self.app.agent(events, name="roll-call", concurrency=1)(self._call_roll)

    @property
    def producer(self) -> Producer:
        """The producer, once the app is started."""
        return self.app.producer  # type: ignore[no-any-return]

    async def post(
        self,
        topic: str,
        partition: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> None:
        """Hand an effect to the producer."""
        await self.producer.post(topic, partition, key, value, headers)

    async def append(self, topic: str, partition: int, key: bytes, value: bytes) -> int:
        """Write one record and return its offset; raise KafkaError if it cannot be written."""
        return await self.producer.append(topic, partition, key, value)

    async def run(self) -> None:
        """Start Faust and go on until it is stopped; raise what it crashed with."""
        await self.app.start()
        await self.app.wait_until_stopped()
        if self.app.crash_reason is not None:
            raise self.app.crash_reason

    async def drain(self, within_s: float) -> None:
        """End in order: fold no more, commit what was folded, leave the group. Raises TimeoutError: end at once."""
        await _within(within_s, self._end_in_order())

    async def _end_in_order(self) -> None:
        await self.ownership.hold()
        if self.app.consumer.started:
            await self.app.consumer.commit()
        await self.app.stop()

    async def abandon(self, within_s: float) -> None:
        """End after a crash: commit nothing more. Raises TimeoutError if something goes on: end at once."""
        self.ownership.held = True
        self.ownership.lose()
        await _within(within_s, self.app.stop())

    async def _call_roll(self, stream: Any) -> None:  # noqa: ANN401 - faust.Stream
        async for event in stream.events():
            try:
                await self.ownership.fold(event.message.chunk)
            except Exception as error:
                self._fatal(error)  # Faust would acknowledge it and go on with the next
                raise

    def end_of(self, topic: str, partition: int) -> int | None:
        """Return the end of a partition as the newest fetch, or the assignment, saw it, if one did."""
        return self.app.consumer.end_of(TP(topic, partition))  # type: ignore[no-any-return]

    def _restored(self, changelogs: dict[int, Changelog]) -> None:
        """Take the partitions of this generation over, with the rows their changelogs have."""
        self.ownership.take(
            self.app.consumer_generation_id, {partition: log.rows() for partition, log in changelogs.items()}
        )
        self.recovered += 1
        structlog.get_logger().info(
            "the partitions of this worker are recovered",
            partitions=sorted(changelogs),
            generation=self.ownership.generation,
            workloads=sum(len(owned.roll.rows) for owned in self.ownership.owned.values()),
        )


async def _within(seconds: float, ending: Coroutine[Any, Any, None]) -> None:
    """Wait for what ends Faust, no longer than that: to be cancelled would not end it, it swallows that."""
    task = asyncio.ensure_future(ending)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise TimeoutError(f"the worker could not be ended in order within {seconds:g} s: is Kafka away?")
    task.result()
