"""``muster explain``: the story of one workload, read from the topics by assignment; nothing on the cluster changes."""

import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from time import monotonic
from typing import Any

import typer
from aiokafka import ConsumerRecord, TopicPartition
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from schemas.codec import decode_workload
from schemas.names import WorkloadKey, parse_key
from schemas.topics import EVENTS, REGISTRATIONS, REMOVALS, RESTORES, WORKLOADS
from schemas.workloads import Workload
from services.agent.clients import place
from services.cli.answers import Answer
from services.cli.moments import milliseconds
from services.cli.naming import AmbiguousWorkloadError, Asked, NoSuchWorkloadError, chosen
from services.cli.options import EXIT_USAGE, EXIT_WRONG
from services.cli.story_json import document
from services.cli.telling import Told, lines
from services.processor.core.roll import Roll
from services.processor.core.trust import Trust
from services.processor.settings import ProcessorSettings
from services.replay.core.agreement import disagreement
from services.replay.core.chapters import Story
from services.replay.core.story import Teller
from services.replay.emitting import provenance
from services.runtime.config import KafkaSettings
from services.runtime.kafka import answered, close, partition_count, read_to_end, reader
from services.runtime.topics import existing

EXIT_DISAGREES = 3
"""The story contradicts what the processor wrote."""
SILENT_S = 2.0
"""Progress is shown of what takes longer, seconds."""
_COLOURS = {r"▇|\bconnected\b": "green", r"▁|\babsent\b|\bremoved\b": "red", r"╳|○|\bunknown\b": "yellow"}


async def explain(
    settings: ProcessorSettings, asked: Asked, until: datetime | None, trust: Trust, *, as_json: bool
) -> None:
    """Print the story of the workload asked for, up to ``until``.

    Raises typer.Exit with 1 where there is none, 2 where it is not clear whose, 3 where it cannot be trusted.
    """
    known = _Known(asked)
    for topic in (WORKLOADS, REGISTRATIONS, *await existing(settings.kafka, (REMOVALS, RESTORES))):
        async for chunk in _records(settings.kafka, topic, None):
            known.take(topic, chunk)
    try:
        key = chosen(asked, known.keys).to_bytes()
    except (NoSuchWorkloadError, AmbiguousWorkloadError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_USAGE if isinstance(error, AmbiguousWorkloadError) else EXIT_WRONG) from None
    story = await _story(settings, key, until, trust)
    states = known.states.setdefault(key, {})
    fault = disagreement(story, states.values())
    if fault is not None:
        # What the processor decided while the log was read is in the topic by now.
        async for chunk in _records(settings.kafka, WORKLOADS, None):
            known.take(WORKLOADS, chunk)
        fault = disagreement(story, states.values())
    told = Told(story, known.answers.get(key, ()), until, states[max(states)] if states else None, fault)
    if as_json:
        typer.echo(json.dumps(document(told), indent=2, ensure_ascii=False))
    else:
        _print(lines(told))
    if fault is not None:
        raise typer.Exit(EXIT_DISAGREES)
    if story.why is None:
        raise typer.Exit(EXIT_WRONG)


class _Known:
    """Every workload's key, and of those that may be meant what the compacted topics say."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self.keys: set[WorkloadKey] = set()
        self.states: dict[bytes, dict[int, Workload]] = {}
        """By revision: as many as the topic still has."""
        self.answers: dict[bytes, list[Answer]] = {}

    def take(self, topic: str, chunk: Sequence[ConsumerRecord]) -> None:
        """Take records of ``muster.workloads``, or of a topic that tells what sink and people did."""
        for record in chunk:
            key = parse_key(record.key or b"")
            if key is None:
                continue
            self.keys.add(key)
            if not self._asked.means(key):
                continue
            if topic != WORKLOADS or provenance(list(record.headers)):
                answer = Answer(record.offset, record.timestamp, record.value, topic, record.headers)
                self.answers.setdefault(record.key, []).append(answer)
            if topic == WORKLOADS:
                self._state(record.key, record.value)

    def _state(self, key: bytes, value: bytes | None) -> None:
        state = decode_workload(value) if value is not None else None
        if isinstance(state, Workload):
            self.states.setdefault(key, {})[state.revision] = state


async def _story(settings: ProcessorSettings, key: bytes, until: datetime | None, trust: Trust) -> Story:
    """Fold the workload's partition of the log, as far as is asked for."""
    count = await partition_count(settings.kafka, EVENTS)
    home = place(key, count)
    roll = Roll(home, settings.rules.rules(), lambda other: place(other, count) == home, trust)
    teller = Teller(key, roll, milliseconds(until) if until is not None else None)
    async with aclosing(_records(settings.kafka, EVENTS, home)) as chunks:
        async for chunk in chunks:
            if not all(teller.take(record) for record in chunk):
                break
    return teller.story()


async def _records(
    kafka: KafkaSettings, topic: str, partition: int | None
) -> AsyncGenerator[Sequence[ConsumerRecord], None]:
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


def _print(text: Sequence[str]) -> None:
    """Print lines; in colour on a terminal that did not ask for none (https://no-color.org: rich heeds NO_COLOR)."""
    console = Console(highlight=False, soft_wrap=True)
    for line in text:
        words = Text(line)
        for pattern, colour in _COLOURS.items():
            words.highlight_regex(pattern, colour)
        console.print(words)
