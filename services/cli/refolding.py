"""One run of ``muster replay``: what is folded, what is shown of it, and what is asserted."""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from schemas.topics import EVENTS
from services.cli.beginnings import behind, own_snapshot, restore, save, snapshot_of
from services.cli.comparison import Compared, Comparison, comparison
from services.cli.emission import Emission
from services.cli.options import EXIT_USAGE, EXIT_WRONG
from services.cli.printing import EXIT_INTERRUPTED
from services.cli.progress import Meter
from services.cli.replaying import Printer
from services.cli.trusting import trust_in
from services.identity.core.bundle import TrustBundle
from services.processor.core.record import Record
from services.processor.core.rules import Rules
from services.processor.settings import ProcessorSettings
from services.replay.chunks import Chunk, Gap
from services.replay.cluster import home
from services.replay.labels import Labels
from services.replay.refold import Happening, Refold, Transition
from services.replay.selection import Cut, Selection
from services.replay.snapshots import Snapshot
from services.replay.source import Source, source, unless_stopped, until
from services.replay.summary import FailOn, Tally, begun, cannot_know, failures, summary, unexpected


@dataclass(frozen=True)
class Wanted:
    """What to fold, what to show of it, and what to assert."""

    where: Path | None
    folded: Selection
    shown: Selection
    labels: Labels
    fail_on: tuple[FailOn, ...]
    expected: dict[str, Any] | None
    compare: Compared | None
    emission: Emission
    bundles: tuple[TrustBundle, ...]
    start: Path | None
    """The snapshot to begin from."""
    save: Path | None


async def refolded(wanted: Wanted, settings: ProcessorSettings, printer: Printer, stopping: asyncio.Event) -> int:
    """Fold, and print what comes of it; return the exit code."""
    async with AsyncExitStack() as stack:
        snapshot = await unless_stopped(snapshot_of(wanted.start, wanted.shown, settings.kafka), stopping)
        opening = source(wanted.where, settings.kafka, EVENTS, behind(wanted.folded, snapshot))
        found = await unless_stopped(stack.enter_async_context(opening), stopping)
        snapshot = snapshot or own_snapshot(found, wanted.folded)
        live = None
        if wanted.compare:
            live = await unless_stopped(comparison(wanted.compare, found.cluster, settings.kafka), stopping)
        rules, whose = rules_of(found, snapshot, settings)
        trust = trust_in(wanted.bundles, found.header)
        refold = Refold(rules, home(found.partitions) if found.partitions else None, _doubts(found), trust)
        other = restore(refold, snapshot, found, rules)
        tally = await _folded(found, refold, wanted, printer, live, stopping)
    notes = [f"folded {found.name} by {whose}; {'; '.join(begun(refold)) or 'nothing was there'}", *cannot_know(refold)]
    notes += [*other, *_unfinished(found, stopping)]
    if wanted.save is not None:
        save(wanted.save, refold, found, rules)
    printer.summary(summary(refold, tally), notes)
    wanted.emission.replayed(found, refold, to_its_end=found.live is not None and wanted.folded.end is None)
    wrong = failures(wanted.fail_on, refold, tally)
    if wanted.expected is not None:
        wrong += unexpected(wanted.expected, refold)
    if live is not None and not stopping.is_set():
        wrong += live.told(refold)
    for line in wrong:
        typer.echo(f"FAILED {line}", err=True)
    return EXIT_INTERRUPTED if stopping.is_set() else EXIT_WRONG if wrong else 0


async def _folded(
    found: Source,
    refold: Refold,
    wanted: Wanted,
    printer: Printer,
    live: Comparison | None,
    stopping: asyncio.Event,
) -> Tally:
    tally, done, shows = Tally(), 0, Shown(wanted.shown, wanted.labels)
    with Meter("replaying") as meter:
        async for item in until(found.items(), stopping):
            for happening in refold.take(item):
                if live is not None:
                    live.take(happening)
                if shows.takes(happening):
                    meter.hide()
                    tally.take(happening)
                    wanted.emission.take(happening)
                    printer.show(happening)
            done += len(item.records) if isinstance(item, Chunk) else 0
            meter(done, found.total)
            sys.stdout.flush()
    return tally


def _unfinished(found: Source, stopping: asyncio.Event) -> list[str]:
    """Say why there may be more than what was folded."""
    notes = []
    if found.trailer is not None and not found.trailer.complete:
        notes.append("the recording was interrupted: it holds a part of what was asked for, and ends early")
    if found.header is None and found.live is None:
        notes.append("bare lines: nothing says how many partitions there are, nor that they were read to their end")
    if stopping.is_set():
        notes.append("interrupted: what follows is of a part")
    return notes


class Shown:
    """Which happenings lie in the range that is to be shown, and are of workloads that are meant."""

    def __init__(self, selection: Selection, labels: Labels) -> None:
        self._selection = selection
        self._labels = labels
        self._cuts: dict[int, Cut] = {}
        self._labelled: set[bytes] = set()

    def takes(self, happening: Happening) -> bool:
        """Whether one is to be shown."""
        if isinstance(happening, Gap):
            return True
        place = happening.place
        key = happening.key if isinstance(happening, Transition) else None
        record = Record(place.offset, place.time_ms, key, None)
        labelled = not isinstance(happening, Transition) or self._has_labels(happening)
        cut = self._cuts.setdefault(place.partition, Cut(self._selection, place.partition))
        if not cut.takes(record) or not labelled:
            return False
        return not isinstance(happening, Transition) or self._selection.filter.takes(place.partition, record)

    def _has_labels(self, one: Transition) -> bool:
        """Whether the workload reports labels that are meant; a forgotten one is what it was."""
        if not self._labels.requirements:
            return True
        if one.state is None:
            meant = one.key in self._labelled
        else:
            meant = self._labels.match(one.state.workload.registration.workload.labels)
        (self._labelled.add if meant and one.state is not None else self._labelled.discard)(one.key)
        return meant


def rules_of(found: Source, snapshot: Snapshot | None, settings: ProcessorSettings) -> tuple[Rules, str]:
    """Return the rules to fold by, and whose they are."""
    if "rules" in settings.model_fields_set:
        rules = settings.rules.rules()
        others = found.header is not None and found.header.rules not in ({}, asdict(rules))
        return rules, "the rules given" + (", which are not those of the recording" if others else "")
    header = found.header.rules if found.header is not None else {}
    for known, whose in ((header, "recording"), (snapshot.rules if snapshot else {}, "snapshot")):
        if known:
            try:
                return Rules(**known), f"the rules of the {whose}"  # type: ignore[arg-type]
            except TypeError as cause:
                words = f"Error: the {whose}'s rules are not those of this Muster ({cause}); give --set rules.…"
                typer.echo(words, err=True)
                raise typer.Exit(EXIT_USAGE) from None
    return Rules(), "Muster's default rules (none were given)"


def _doubts(found: Source) -> tuple[str, ...]:
    header = found.header
    if header is not None and header.selector:
        return (f"the recording holds only what matches {header.selector}",)
    return ()
