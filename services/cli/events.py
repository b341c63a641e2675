"""``muster events``: the records of a topic as they stand, like kcat, but by namespace, workload and time."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer

from schemas.topics import EVENTS
from services.cli.options import Assignments, Config, Servers, settings_of
from services.cli.printing import EventOutput, EventPrinter, faults_told
from services.cli.ranges import From, Namespace, Partitions, Terms, To, selected
from services.processor.settings import ProcessorSettings
from services.replay.chunks import Gap, Item
from services.replay.cluster import opened
from services.replay.selection import Selection
from services.replay.source import source
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
        Path | None, typer.Argument(metavar="[FILE|-]", help="A recording, or - for stdin; without it, the cluster.")
    ] = None,
    start: From = None,
    end: To = None,
    partitions: Partitions = None,
    namespace: Namespace = None,
    selectors: Terms = None,
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

      muster events cat --from 2026-11-23T03:00:00Z --to 2026-11-23T03:15:00Z -l group=bookinfo/ratings

      muster events cat -o json -l type=connect | jq -r '.value.workload.registration.agent.version' | sort | uniq -c

      muster events cat --from 2:120 -c 1 -o raw | jq
    """
    selection = selected(start, end, partitions, namespace, selectors)
    kafka = settings_of(ProcessorSettings, "events", config, servers, assignments).kafka
    with faults_told():
        asyncio.run(_cat(where, kafka, topic, selection, EventPrinter(output), count))


@app.command(epilog=_EXIT_CODES)
def tail(
    last: Annotated[int, typer.Option("--last", min=0, help="Begin with so many records of each partition.")] = 10,
    partitions: Partitions = None,
    namespace: Namespace = None,
    selectors: Terms = None,
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
    selection = selected(None, None, partitions, namespace, selectors)
    kafka = settings_of(ProcessorSettings, "events", config, servers, assignments).kafka
    with faults_told():
        asyncio.run(_tail(kafka, topic, selection, EventPrinter(output), last, count))


async def _cat(
    where: Path | None,
    kafka: KafkaSettings,
    topic: str,
    selection: Selection,
    printer: EventPrinter,
    count: int | None,
) -> None:
    async with source(where, kafka, topic, selection) as found:
        await _print(found.items(), selection, printer, count)


async def _tail(
    kafka: KafkaSettings, topic: str, selection: Selection, printer: EventPrinter, last: int, count: int | None
) -> None:
    async with opened(kafka, topic, selection) as live:
        live.only_last(last)
        left = await _print(live.items(), selection, printer, count)
        if left != 0:
            await _print(live.follow(), selection, printer, left)


async def _print(
    items: AsyncIterator[Item], selection: Selection, printer: EventPrinter, count: int | None
) -> int | None:
    """Print at most ``count`` records; return how many of these are left."""
    left = count
    async for item in items:
        if isinstance(item, Gap):
            printer.gap(item)
            continue
        for record in item.records:
            if not selection.filter.takes(item.partition, record):
                continue
            printer.record(item.topic, item.partition, record)
            if left is not None:
                left -= 1
                if not left:
                    return 0
        sys.stdout.flush()
    return left
