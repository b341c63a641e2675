"""Where ``muster explain`` reads: the topics of a cluster, or those that a recording has."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from aiokafka import TopicPartition
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from schemas.topics import ACTIONS, EVENTS, REGISTRATIONS, REMOVALS, RESTORES, WORKLOADS
from services.cli.opening import rules_of
from services.cli.trusting import trust_in
from services.identity.core.bundle import TrustBundle
from services.processor.core.record import Appended
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust
from services.processor.settings import ProcessorSettings
from services.replay.chunks import Gap
from services.replay.recording import Header, RecordingError
from services.replay.selection import Selection
from services.replay.source import source
from services.runtime.config import KafkaSettings
from services.runtime.kafka import answered, close, partition_count, read_to_end, reader
from services.runtime.topics import existing

SILENT_S = 2.0
"""Progress is shown of what takes longer, seconds."""


class Shelf(Protocol):
    """The log, and what was written of it."""

    notes: Sequence[str]
    """What there is to say of it."""

    async def topics(self) -> Sequence[str]:
        """Return the topics that tell of workloads."""

    async def partitions(self) -> int:
        """Return how many partitions the log has."""

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

    def __init__(self, file: Path, header: Header, settings: ProcessorSettings, rules: Rules) -> None:
        self._file = file
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
        async with source(self._file, self._settings.kafka, topic, Selection()) as found:
            begun = False
            async for item in found.items():
                if partition not in {None, item.partition}:
                    continue
                if not isinstance(item, Gap):
                    begun = True
                    yield item.records
                elif partition is not None and item.lost and begun:
                    if topic != EVENTS:
                        self.notes = (*self.notes, item.words)
                        continue
                    raise RecordingError(f"{item.words}: the story cannot be told across; --at TIME ends it before")


async def shelf_of(file: Path | None, settings: ProcessorSettings) -> Shelf:
    """Return where to read. Raises ``RecordingError``, OSError."""
    if file is None:
        return Cluster(settings)
    async with source(file, settings.kafka, EVENTS, Selection()) as found:
        if found.header is None:
            raise RecordingError(f"{file}: bare lines do not say how many partitions there are; make a recording of it")
        return Recorded(file, found.header, settings, rules_of(found, None, settings)[0])


async def _records(kafka: KafkaSettings, topic: str, partition: int | None) -> AsyncGenerator[Sequence[Appended], None]:
    """Yield a topic, or a partition of it, from its beginning to its present end; show how far, where it takes long."""
    consumer = await reader(kafka, topic, None if partition is None else [partition])
    try:
        places: list[TopicPartition] = list(consumer.assignment())
        begins = await answered(consumer.beginning_offsets, places, what=f"reading {topic}")
        ends = await answered(consumer.end_offsets, places, what=f"reading {topic}")
        async with _progress(topic, sum(ends.values()) - sum(begins.values())) as advance:
            async for chunk in read_to_end(consumer):
                yield chunk
                advance(len(chunk))
    finally:
        await close(consumer)


@asynccontextmanager
async def _progress(topic: str, total: int) -> AsyncIterator[Any]:
    """Show a bar on a terminal's stderr, once it has taken long enough for somebody to wonder."""
    columns = (TextColumn("reading {task.description}"), BarColumn(), TextColumn("{task.completed:,} records"))
    console = Console(stderr=True)
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not sys.stderr.isatty())
    task = bar.add_task(topic, total=total)
    begun = monotonic()

    def advance(records: int) -> None:
        bar.advance(task, records)
        if not bar.live.is_started and monotonic() - begun > SILENT_S:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()
