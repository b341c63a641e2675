"""``muster events``: the records of a topic as they stand, like kcat, but by namespace, workload and time."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.topics import EVENTS
from services.cli.labelled import Labelled
from services.cli.opening import nothing_words
from services.cli.options import Assignments, Config, Servers, settings_of
from services.cli.printing import EXIT_INTERRUPTED, EventOutput, EventPrinter, faults_told
from services.cli.progress import Meter
from services.cli.ranges import EventSelector, From, Namespace, Partitions, To, selected, separated
from services.processor.core.record import Appended
from services.processor.settings import ProcessorSettings
from services.replay.chunks import Chunk, Gap, Item
from services.replay.cluster import opened
from services.replay.selection import Selection
from services.replay.source import source, unless_stopped, until
from services.runtime import shutdown
from services.runtime.config import KafkaSettings

app = typer.Typer(
    help="Read the records of muster.events, or of another topic; nothing on the cluster changes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_EXIT_CODES = (
    "Exit codes: 0 printed (records that cannot be taken are printed as such); 1 the recording is damaged, cut off or "
    "of another kind; 2 wrong usage; 130 interrupted; 141 whoever read stdout left."
)
OutputOption = Annotated[
    EventOutput, typer.Option("-o", "--output", help="Form of the output; raw is the bytes of the values.")
]
Topic = Annotated[str, typer.Option("-t", "--topic", help="The topic to read.")]


@app.command(epilog=_EXIT_CODES)
def cat(
    where: Annotated[
        Path | None, typer.Argument(metavar="FILE|-", help="A recording, or - for stdin; without it, the cluster.")
    ] = None,
    start: From = None,
    end: To = None,
    partitions: Partitions = None,
    namespace: Namespace = None,
    selectors: EventSelector = None,
    count: Annotated[int | None, typer.Option("-c", "--count", min=1, help="End after so many records.")] = None,
    topic: Topic = EVENTS,
    output: OutputOption = EventOutput.TABLE,
    servers: Servers = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Print a range of records, in the order of time, up to the present end.

    With -o json each is a line of JSON with topic, partition, offset, time (RFC 3339, UTC), key and value; a value that
    is no JSON stands as text, or in base64 as value64; one that the processor would reject has a field "rejected".

    For example:

      muster events cat --from 15m -n bookinfo

      muster events cat --from 2026-11-23T03:00:00Z -l group=bookinfo/ratings

      muster events cat -o json -l type=connect |
        jq -r .value.workload.registration.agent.version | sort | uniq -c

      muster events cat --from 2:120 -c 1 -o raw | jq
    """
    named, labels = separated(selectors)
    selection = selected(start, end, partitions, namespace, named, where, topic)
    reading = _Reading(selection, Labelled(labels, topic), EventPrinter(output), count)
    kafka = settings_of(ProcessorSettings, "events", config, servers, assignments).kafka
    _run(lambda stopping: _cat(where, kafka, topic, reading, stopping))


@app.command(epilog=_EXIT_CODES)
def tail(
    last: Annotated[int, typer.Option("--last", min=0, help="Begin with so many records of each partition.")] = 10,
    partitions: Partitions = None,
    namespace: Namespace = None,
    selectors: EventSelector = None,
    count: Annotated[int | None, typer.Option("-c", "--count", min=1, help="End after so many records.")] = None,
    topic: Topic = EVENTS,
    output: OutputOption = EventOutput.TABLE,
    servers: Servers = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Print the last records, then what is written from now on, until interrupted.

    For example:

      muster events tail

      muster events tail --last 0 -l type=connect -o json | jq -r .key
    """
    named, labels = separated(selectors)
    selection = selected(None, None, partitions, namespace, named)
    reading = _Reading(selection, Labelled(labels, topic), EventPrinter(output), count)
    kafka = settings_of(ProcessorSettings, "events", config, servers, assignments).kafka
    _run(lambda stopping: _tail(kafka, topic, reading, last, stopping))


def _run(reading: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stopped: list[bool] = []

    async def run(stopping: asyncio.Event) -> None:
        await reading(stopping)
        stopped.append(stopping.is_set())

    with faults_told():
        shutdown.run(run)
    if stopped[0]:
        raise typer.Exit(EXIT_INTERRUPTED)


class _Reading:
    """Prints records that are meant, and counts them."""

    def __init__(self, selection: Selection, labelled: Labelled, printer: EventPrinter, count: int | None) -> None:
        self.selection = selection
        self.labelled = labelled
        self._printer = printer
        self._left = count
        self.printed = 0

    @property
    def enough(self) -> bool:
        """Whether as many were printed as were asked for."""
        return self._left == 0

    async def print(self, items: AsyncIterator[Item], total: int | None = None) -> None:
        """Print items, until there are enough."""
        done = 0
        with Meter("reading") as meter:
            async for item in items:
                if isinstance(item, Gap):
                    meter.hide()
                    self._printer.gap(item)
                    continue
                for record in item.records:
                    self._record(item, record)
                    if self.enough:
                        return
                sys.stdout.flush()
                done += len(item.records)
                if not sys.stdout.isatty():
                    meter(done, total)

    def _record(self, item: Chunk, record: Appended) -> None:
        if not self.labelled.takes(record) or not self.selection.filter.takes(item.partition, record):
            return
        self._printer.record(item.topic, item.partition, record)
        self.printed += 1
        if self._left is not None:
            self._left -= 1


async def _cat(
    where: Path | None, kafka: KafkaSettings, topic: str, reading: _Reading, stopping: asyncio.Event
) -> None:
    async with AsyncExitStack() as stack:
        opening = source(where, kafka, topic, reading.selection)
        found = await unless_stopped(stack.enter_async_context(opening), stopping)
        found.check(topic, reading.selection)
        await reading.print(until(found.items(), stopping), found.total)
        if stopping.is_set():
            typer.echo("interrupted: what was printed is of a part", err=True)
        elif not reading.printed:
            typer.echo(await nothing_words(found, topic), err=True)
    if reading.labelled.unknown:
        words = (
            f"{reading.labelled.unknown} records left out: their workloads had not told their labels in what was read"
        )
        typer.echo(words, err=True)


async def _tail(kafka: KafkaSettings, topic: str, reading: _Reading, last: int, stopping: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        live = await unless_stopped(stack.enter_async_context(opened(kafka, topic, reading.selection)), stopping)
        reading.selection.check(topic, range(live.partitions))
        live.only_last(last)
        await reading.print(until(live.items(), stopping))
        if not reading.enough:
            await reading.print(until(live.follow(), stopping))
