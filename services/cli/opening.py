"""The log as a replay begins it: opened, with the rules, bundles and the earlier state that it is folded from."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import typer

from schemas.message import rfc3339
from schemas.topics import EVENTS
from services.cli.beginnings import behind, own_snapshot, restore, snapshot_of
from services.cli.options import EXIT_USAGE
from services.identity.core.bundle import TrustBundle
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust
from services.processor.settings import ProcessorSettings
from services.replay.cluster import home
from services.replay.labels import Labels
from services.replay.refold import Refold
from services.replay.selection import Selection
from services.replay.snapshots import Snapshot
from services.replay.source import Source, source, unless_stopped
from services.replay.standings import OfReading


@dataclass(frozen=True)
class Range:
    """What to fold, and what to show of it."""

    where: Path | None
    folded: Selection
    shown: Selection
    labels: Labels
    bundles: tuple[TrustBundle, ...]
    start: Path | None
    """The snapshot to begin from."""


@dataclass
class Beginning:
    """An opened log, and how it is to be folded."""

    found: Source
    snapshot: Snapshot | None
    rules: Rules
    whose: str
    """Whose rules they are, in words."""
    notes: list[str] = field(default_factory=list)
    """What there is to say of the beginning."""

    def refold(self, rules: Rules, trust: Trust, *, listens: bool = False) -> Refold:
        """Return a fold that stands where it has to begin. Raises ``SnapshotError``."""
        belongs = home(self.found.partitions) if self.found.partitions else None
        refold = Refold(rules, belongs, _doubts(self.found, self.rules), trust, listens=listens)
        self.notes = restore(refold, self.snapshot, self.found, self.rules)
        return refold


@asynccontextmanager
async def begun_from(wanted: Range, settings: ProcessorSettings, stopping: asyncio.Event) -> AsyncIterator[Beginning]:
    """Open what is to be folded.

    Raises ``SelectionError``, ``SnapshotError``, ``RecordingError``, ``StoppedError``, OSError.
    """
    async with AsyncExitStack() as stack:
        snapshot = await unless_stopped(snapshot_of(wanted.start, wanted.shown, settings.kafka), stopping)
        opening = source(wanted.where, settings.kafka, EVENTS, behind(wanted.folded, snapshot))
        found = await unless_stopped(stack.enter_async_context(opening), stopping)
        for selection in (wanted.folded, wanted.shown):
            found.check(EVENTS, selection)
        snapshot = snapshot or own_snapshot(found, wanted.folded)
        yield Beginning(found, snapshot, *rules_of(found, snapshot, settings))


def unfinished(found: Source, stopping: asyncio.Event) -> list[str]:
    """Say why there may be more than what was folded."""
    notes = []
    if found.trailer is not None and not found.trailer.complete:
        notes.append("the recording was interrupted: it holds a part of what was asked for, and ends early")
    if found.header is None and found.live is None:
        notes.append("bare lines: nothing says how many partitions there are, nor that they were read to their end")
    if stopping.is_set():
        notes.append("interrupted: what follows is of a part")
    return notes


async def nothing_words(found: Source, topic: str = EVENTS) -> str:
    """Say that nothing was found, and where there is something; nothing more can be read of the source then."""
    reach = await found.reach(topic)
    spans = f"; the log spans {rfc3339(reach.first)} to {rfc3339(reach.last)}" if reach and reach.first else ""
    return f"nothing in the range or selection{spans}"


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


def _doubts(found: Source, rules: Rules) -> tuple[str, ...]:
    header = found.header
    if header is None:
        return ()
    doubts = [f"the recording holds only what matches {header.selector}"] if header.selector else []
    if header.rules not in ({}, asdict(rules)):
        doubts.append(OfReading("it is folded by other rules than those by which the processor called the roll then"))
    return tuple(doubts)
