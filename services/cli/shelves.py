"""Where ``muster explain`` reads: the topics of a cluster, or those that a recording has."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from aiokafka import TopicPartition

from schemas.topics import ACTIONS, EVENTS, REGISTRATIONS, REMOVALS, RESTORES, WORKLOADS
from services.cli.opening import rules_of
from services.cli.progress import Meter
from services.cli.trusting import trust_in
from services.identity.core.bundle import TrustBundle
from services.processor.core.record import Appended
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust
from services.processor.settings import ProcessorSettings
from services.replay.aside import STDIN, rereadable
from services.replay.chunks import Chunk, Gap
from services.replay.moments import Reach
from services.replay.reach import recorded
from services.replay.recording import Header, RecordingError
from services.replay.selection import Selection
from services.replay.source import source
from services.runtime.config import KafkaSettings
from services.runtime.kafka import answered, close, partition_count, read_to_end, reader
from services.runtime.topics import existing


class Shelf(Protocol):
    """The log, and what was written of it."""

    notes: Sequence[str]
    """What there is to say of it."""

    async def topics(self) -> Sequence[str]:
        """Return the topics that tell of workloads."""

    async def partitions(self) -> int:
        """Return how many partitions the log has."""

    def reach(self) -> Reach:
        """Return the times of which the log tells."""

    def rules(self) -> Rules:
        """Return the rules to fold by."""

    def trust(self, bundles: Sequence[TrustBundle]) -> Trust:
        """Return what identities are verified by."""

    def records(self, topic: str, partition: int | None = None) -> AsyncGenerator[Sequence[Appended], None]:
        """Yield a topic, or a partition of it, from its beginning to its end."""


class Cluster:
    """A live cluster, read by assignment."""

    notes: Sequence[str] = ()

    def __init__(self, settings: ProcessorSettings) -> None:
        self._settings = settings

    async def topics(self) -> Sequence[str]:
        """Return those that are there; older Musters have no removals, and no actions."""
        return (WORKLOADS, REGISTRATIONS, *await existing(self._settings.kafka, (REMOVALS, RESTORES, ACTIONS)))

    async def partitions(self) -> int:
        """Ask Kafka."""
        return await partition_count(self._settings.kafka, EVENTS)

    def reach(self) -> Reach:
        """Return until now; how far it really comes shows when it is read."""
        return Reach(datetime.now(UTC))

    def rules(self) -> Rules:
        """Return those of the settings."""
        return self._settings.rules.rules()

    def trust(self, bundles: Sequence[TrustBundle]) -> Trust:
        """Return what identities are verified by."""
        return trust_in(bundles)

    def records(self, topic: str, partition: int | None = None) -> AsyncGenerator[Sequence[Appended], None]:
        """Yield what Kafka has."""
        return _records(self._settings.kafka, topic, partition)


class Recorded:
    """A recording; each topic is read from the file anew."""

    def __init__(self, file: Path, name: str, header: Header, settings: ProcessorSettings, rules: Rules) -> None:
        self._file = file
        self._name = name
        self._header = header
        self._settings = settings
        self._rules = rules
        words = f"the recording holds only what matches {header.selector}: who else was silent then, nobody knows"
        self.notes: Sequence[str] = (words,) if header.selector else ()

    async def topics(self) -> Sequence[str]:
        """Return all that it has; the log itself knows names, too."""
        return tuple(topic.name for topic in self._header.topics)

    async def partitions(self) -> int:
        """Return what its header says."""
        return self._header.topic(EVENTS).partitions

    def reach(self) -> Reach:
        """Return from its first record to its last. Raises ``RecordingError`` where there is none."""
        if (found := recorded(self._file, EVENTS)) is None:
            raise RecordingError(f"{self._name} has no records of {EVENTS}: nothing is known of any time")
        return found

    def rules(self) -> Rules:
        """Return the rules of the recording, unless others were given."""
        return self._rules

    def trust(self, bundles: Sequence[TrustBundle]) -> Trust:
        """Return what identities are verified by."""
        return trust_in(bundles, self._header)

    async def records(self, topic: str, partition: int | None = None) -> AsyncGenerator[Sequence[Appended], None]:
        """Yield what was recorded. Raises ``RecordingError`` where records are missing in the midst of the log.

        Of another topic, of which a partition is wanted, it is noted.
        """
        async with source(self._file, self._settings.kafka, topic, Selection(), self._name) as found:
            begun, done = False, 0
            with Meter(f"reading {topic}") as meter:
                async for item in found.items():
                    done += len(item.records) if isinstance(item, Chunk) else 0
                    meter(done, found.total)
                    if partition not in {None, item.partition}:
                        continue
                    if not isinstance(item, Gap):
                        begun = True
                        yield item.records
                    elif partition is not None and item.lost and begun:
                        self._lost(topic, item)

    def _lost(self, topic: str, gap: Gap) -> None:
        if topic == EVENTS:
            raise RecordingError(f"{gap.words}: the story cannot be told across; --at TIME ends it before")
        self.notes = (*self.notes, gap.words)


@asynccontextmanager
async def shelf_of(where: Path | None, settings: ProcessorSettings) -> AsyncIterator[Shelf]:
    """Open where to read. Raises ``RecordingError``, OSError."""
    if where is None:
        yield Cluster(settings)
        return
    name = "stdin" if where == STDIN else str(where)
    async with rereadable(where, sys.stdin.buffer) as file:
        async with source(file, settings.kafka, EVENTS, Selection(), name) as found:
            if found.header is None:
                raise RecordingError(
                    f"{name}: bare lines do not say how many partitions there are; make a recording of it"
                )
            shelf = Recorded(file, name, found.header, settings, rules_of(found, None, settings)[0])
        yield shelf


async def _records(kafka: KafkaSettings, topic: str, partition: int | None) -> AsyncGenerator[Sequence[Appended], None]:
    """Yield a topic, or a partition of it, from its beginning to its present end."""
    consumer = await reader(kafka, topic, None if partition is None else [partition])
    try:
        places: list[TopicPartition] = list(consumer.assignment())
        begins = await answered(consumer.beginning_offsets, places, what=f"reading {topic}")
        ends = await answered(consumer.end_offsets, places, what=f"reading {topic}")
        done, total = 0, sum(ends.values()) - sum(begins.values())
        with Meter(f"reading {topic}") as meter:
            async for chunk in read_to_end(consumer):
                yield chunk
                done += len(chunk)
                meter(done, total)
    finally:
        await close(consumer)
