"""``muster status``: the table of ``kubectl get war``, from the topic ``muster.workloads``."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import typer
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from schemas.topics import WORKLOADS
from services.cli.in_force import in_force
from services.cli.options import EXIT_WRONG, Output
from services.cli.roster import HEAD, WIDE, Entry, Roster, cells, matching
from services.cli.table import fitting, row, table
from services.runtime.config import ServiceSettings
from services.runtime.kafka import read_to_end, reader

_REDRAW_MS = 1000
"""A live table is drawn anew this often, milliseconds, for its AGE; changes show at once."""


class Selection(NamedTuple):
    """What to show: of which namespace (None: all), which workload (None: all), in which form."""

    namespace: str | None
    name: str | None
    output: Output

    @property
    def head(self) -> tuple[str, ...]:
        """The heads of the columns."""
        return (*HEAD, *WIDE) if self.output is Output.WIDE else HEAD

    def rows(self, entries: list[Entry]) -> list[tuple[str, ...]]:
        """Return the selected entries as rows, as of now."""
        now = datetime.now(UTC)
        chosen = matching(entries, self.namespace, self.name)
        return [cells(entry, now, wide=self.output is Output.WIDE) for entry in chosen]


async def show(settings: ServiceSettings, selection: Selection) -> None:
    """Print the table once; exit code 1 where a workload was named and is not there."""
    roster = Roster()
    async with _caught_up(settings, roster):
        pass
    chosen = matching(roster.present(), selection.namespace, selection.name)
    if selection.output is Output.JSON:
        typer.echo(json.dumps([_plain(entry) for entry in chosen], indent=2))
    elif chosen:
        typer.echo("\n".join(table(selection.head, selection.rows(chosen))))
    else:
        typer.echo(f"No workloads found in {selection.namespace or 'any'} namespace.", err=True)
    if selection.output is not Output.JSON:
        for line in await in_force(settings.kafka):
            typer.echo(line, err=True)
    if roster.unreadable:
        typer.echo(f"{roster.unreadable} records of {WORKLOADS} could not be read", err=True)
    if selection.name is not None and not chosen:
        raise typer.Exit(EXIT_WRONG)


async def watch(settings: ServiceSettings, selection: Selection) -> None:
    """Print the table and what changes, until interrupted: a live table on a terminal, else a line per change."""
    roster = Roster()
    async with _caught_up(settings, roster) as consumer:
        if selection.output is Output.JSON:
            await _json_lines(consumer, roster, selection)
        elif sys.stdout.isatty():
            await _live(consumer, roster, selection)
        else:
            await _lines(consumer, roster, selection)


@asynccontextmanager
async def _caught_up(settings: ServiceSettings, roster: Roster) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = await reader(settings.kafka, WORKLOADS)
    try:
        async for chunk in read_to_end(consumer):
            for record in chunk:
                roster.take(record.key, record.value)
        yield consumer
    finally:
        await consumer.stop()


async def _changes(consumer: AIOKafkaConsumer, roster: Roster) -> list[Entry]:
    """Return what the next records brought; empty after a while without any."""
    chunks = await consumer.getmany(timeout_ms=_REDRAW_MS)
    taken = [roster.take(record.key, record.value) for chunk in chunks.values() for record in chunk]
    return [entry for entry in taken if entry is not None]


async def _live(consumer: AIOKafkaConsumer, roster: Roster, selection: Selection) -> None:
    console = Console()

    def drawn() -> Text:
        lines = fitting(selection.head, selection.rows(roster.present()), console.width)
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")

    with Live(drawn(), console=console, auto_refresh=False) as live:
        while True:
            await _changes(consumer, roster)
            live.update(drawn(), refresh=True)


async def _lines(consumer: AIOKafkaConsumer, roster: Roster, selection: Selection) -> None:
    rows = selection.rows(roster.present())
    typer.echo("\n".join(table(selection.head, rows)))
    widths = [max(map(len, column)) for column in zip(selection.head, *rows, strict=True)]
    while True:
        for line in selection.rows(await _changes(consumer, roster)):
            typer.echo(row(line, widths))
        sys.stdout.flush()


async def _json_lines(consumer: AIOKafkaConsumer, roster: Roster, selection: Selection) -> None:
    changed = roster.present()
    while True:
        for entry in matching(changed, selection.namespace, selection.name):
            typer.echo(json.dumps(_plain(entry)))
        sys.stdout.flush()
        changed = await _changes(consumer, roster)


def _plain(entry: Entry) -> dict[str, Any]:
    return entry.state.model_dump(mode="json", exclude_none=True)
