"""Prints what a replay comes to: transitions as they happen, and the summary."""

import json
import sys
from shutil import get_terminal_size
from typing import Any

import typer

from schemas.names import parse_key
from services.cli.colour import painted
from services.cli.columns import HEAD, WIDTHS, Columns, fitted
from services.cli.options import Output
from services.cli.printing import cells_line
from services.replay.chunks import Gap
from services.replay.lines import shortest, to_time
from services.replay.refold import Happening, Noted, Transition
from services.replay.summary import gap_words

WIDE = ("SESSION", "WINDOW", "MESSAGE")
_WIDE_WIDTHS = (36, 6, 0)


class Printer:
    """Prints happenings."""

    def __init__(self, output: Output, *, brief: bool = False) -> None:
        """``brief``: only what is doubtful is printed."""
        self._output = output
        self._brief = brief
        self._watched = sys.stdout.isatty()
        self._columns = Columns((*WIDTHS, *_WIDE_WIDTHS) if output is Output.WIDE else WIDTHS)
        if self._watched and output is Output.TABLE:
            self._columns = fitted(get_terminal_size().columns)
        self._headed = output is Output.JSON

    def show(self, happening: Happening) -> None:
        """Print one."""
        if self._brief:
            return
        if self._output is Output.JSON:
            sys.stdout.buffer.write(shortest(fields(happening)) + b"\n")
            return
        if not self._headed:
            self._headed = True
            self._row((*HEAD, *WIDE) if self._output is Output.WIDE else HEAD)
        if isinstance(happening, Gap):
            sys.stdout.buffer.write(f"--- {gap_words(happening)}\n".encode())
        elif isinstance(happening, Noted):
            self._row(self._noted(happening))
        else:
            self._row(self._cells(happening))

    def summary(self, told: dict[str, Any], folded: str, doubts: list[str]) -> None:
        """Print the summary: as the last line of JSON, or in words on stderr; whoever is brief has doubts too."""
        if self._output is Output.JSON:
            sys.stdout.buffer.write(json.dumps({"type": "summary", **told}).encode() + b"\n")
        sys.stdout.flush()
        for line in doubts if self._brief else [folded, *doubts, *_words(told)]:
            typer.echo(line, err=True)

    def _row(self, cells: tuple[str, ...]) -> None:
        line = cells_line(self._columns.cells(cells), self._columns.widths)
        sys.stdout.buffer.write(painted([line.decode().rstrip("\n")]).encode() if self._watched else line)

    def _noted(self, told: Noted) -> tuple[str, ...]:
        where = (str(to_time(told.place.time_ms)), f"{told.place.partition}:{told.place.offset}", "-")
        if self._output is Output.WIDE:
            return (*where, "-", "-", "-", str(told.kind), "-", "-", told.words)
        # Where there is no room for reasons, the words stand where a name would.
        words = f"{told.kind}: {told.words}"
        return (*where, "-" if len(self._columns.widths) == len(HEAD) else words, "-", "-", words)

    def _cells(self, told: Transition) -> tuple[str, ...]:
        key, state = parse_key(told.key), told.state
        to = "forgotten" if state is None else state.presence
        narrow = (
            str(to_time(told.place.time_ms)),
            f"{told.place.partition}:{told.place.offset}",
            key.namespace if key else "-",
            key.war_name if key else repr(told.key),
            told.before or ("-" if told.certain else "?"),
            to if told.certain else f"{to}?",
            state.reason if state else "-",
        )
        if self._output is not Output.WIDE:
            return narrow
        return (*narrow, state.session, str(state.window), state.message) if state else (*narrow, "-", "-", "-")


def fields(happening: Happening) -> dict[str, Any]:
    """Return a happening as JSON."""
    if isinstance(happening, Gap):
        return {"type": "gap", **happening._asdict()}
    place = happening.place
    where = {"time": to_time(place.time_ms), "partition": place.partition, "offset": place.offset}
    if isinstance(happening, Noted):
        return {"type": "notice", **where, "kind": happening.kind, "words": happening.words}
    return {
        "type": "transition",
        **where,
        "key": happening.key.decode(errors="replace"),
        "before": happening.before,
        "certain": happening.certain,
        "state": happening.state.model_dump(mode="json", exclude_none=True) if happening.state else None,
    }


def _words(told: dict[str, Any]) -> list[str]:
    def counts(name: str) -> str:
        return ", ".join(f"{count} {what}" for what, count in told[name].items()) or "none"

    return [
        f"{told['records']} records, {told['transitions']} transitions shown",
        f"windows: {counts('windows')}",
        f"ignored by rule: {counts('ignored')}",
        f"rejected: {counts('rejected')}",
        f"states at the end: {counts('states')}",
    ]
