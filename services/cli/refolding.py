"""One run of ``muster replay``: what is folded, what is shown of it, and what is asserted."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from services.cli.beginnings import save
from services.cli.comparison import Compared, Comparison, comparison
from services.cli.emission import Emission
from services.cli.opening import Range, begun_from, nothing_words, unfinished
from services.cli.options import EXIT_WRONG
from services.cli.printing import EXIT_INTERRUPTED
from services.cli.progress import Meter
from services.cli.replaying import Printer
from services.cli.shown import Shown
from services.cli.trusting import trust_in
from services.processor.settings import ProcessorSettings
from services.replay.chunks import Chunk
from services.replay.refold import Refold
from services.replay.source import Source, unless_stopped, until
from services.replay.summary import FailOn, Tally, begun, cannot_know, failures, summary, unexpected


@dataclass(frozen=True)
class Wanted:
    """What to fold, and what to assert of it."""

    range: Range
    fail_on: tuple[FailOn, ...]
    expected: dict[str, Any] | None
    compare: Compared | None
    emission: Emission
    save: Path | None

    @property
    def asserts(self) -> bool:
        """Whether something is held against what is seen: a check that saw nothing must not pass."""
        return bool(self.fail_on) or self.expected is not None or self.compare is not None


async def refolded(wanted: Wanted, settings: ProcessorSettings, printer: Printer, stopping: asyncio.Event) -> int:
    """Fold, and print what comes of it; return the exit code."""
    async with begun_from(wanted.range, settings, stopping) as beginning:
        found, live = beginning.found, None
        if wanted.compare:
            live = await unless_stopped(comparison(wanted.compare, found.cluster, settings.kafka), stopping)
        refold = beginning.refold(beginning.rules, trust_in(wanted.range.bundles, found.header))
        shows = Shown(wanted.range.shown, wanted.range.labels)
        tally = await _folded(found, refold, wanted, printer, live, shows, stopping)
        nothing = not stopping.is_set() and shows.nothing(refold)
        if nothing and live is not None and not wanted.fail_on and wanted.expected is None:
            nothing = not live.knows(refold)  # WARs have labels of their own
        empty = await nothing_words(found) if nothing else None
    began = "; ".join(begun(refold)) or "nothing was there"
    folded = f"folded {found.name} by {beginning.whose}; {began}"
    doubts = [*cannot_know(refold), *beginning.notes, *unfinished(found, stopping)]
    if wanted.save is not None:
        save(wanted.save, refold, found, beginning.rules)
    printer.summary(summary(refold, tally, interrupted=stopping.is_set(), complete=found.complete), folded, doubts)
    wanted.emission.replayed(found, refold, to_its_end=found.live is not None and wanted.range.folded.end is None)
    wrong = failures(wanted.fail_on, refold, tally)
    if wanted.expected is not None:
        wrong += unexpected(wanted.expected, refold)
    if live is not None and not stopping.is_set():
        wrong += live.told(refold)
    if empty is not None:
        typer.echo(empty, err=True)
        wrong += ["nothing was looked at"] if wanted.asserts else []
    for line in wrong:
        typer.echo(f"FAILED {line}", err=True)
    return EXIT_INTERRUPTED if stopping.is_set() else EXIT_WRONG if wrong else 0


async def _folded(
    found: Source,
    refold: Refold,
    wanted: Wanted,
    printer: Printer,
    live: Comparison | None,
    shows: Shown,
    stopping: asyncio.Event,
) -> Tally:
    tally, done = Tally(), 0
    with Meter("replaying") as meter:
        async for item in until(found.items(), stopping):
            shows.look(item)
            if live is not None:
                live.look(item)
            for happening in refold.take(item):
                if live is not None:
                    live.take(happening, item)
                if shows.takes(happening, refold):
                    meter.hide()
                    tally.take(happening)
                    wanted.emission.take(happening)
                    printer.show(happening)
            done += len(item.records) if isinstance(item, Chunk) else 0
            meter(done, found.total)
            sys.stdout.flush()
    return tally
