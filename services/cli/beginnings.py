"""Where a replay starts from: an earlier state, from a file or from the processor's changelog, and where it is kept."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from schemas.topics import EVENTS
from services.cli.progress import Meter
from services.processor.core.rules import Rules
from services.replay.aside import blocks
from services.replay.changelog import changelog_snapshot
from services.replay.cluster import opened
from services.replay.refold import Refold
from services.replay.selection import Bound, Selection
from services.replay.snapshot_file import packed, unpacked
from services.replay.snapshots import Snapshot, SnapshotError, beginnings
from services.replay.source import Source
from services.runtime.config import KafkaSettings

CHANGELOG = Path("changelog")
FromSnapshot = Annotated[
    str | None,
    typer.Option(
        "--from-snapshot",
        metavar="changelog",
        help="Start from the state before --from that the processor's changelog holds: sooner done than from zero.",
    ),
]
SnapshotFile = Annotated[
    Path | None, typer.Option("--snapshot", metavar="FILE", help="Start from the state that --save-snapshot kept.")
]
SaveSnapshot = Annotated[
    Path | None, typer.Option("--save-snapshot", metavar="FILE", help="Keep the state at the end, to start from.")
]


def start_of(where: Path | None, from_snapshot: str | None, file: Path | None, fold_from: str | None) -> Path | None:
    """Return what to start from: a file, ``CHANGELOG``, or None; or end the command with exit code 2."""
    if sum(one is not None for one in (from_snapshot, file, fold_from)) > 1:
        raise typer.BadParameter("give one of --from-snapshot, --snapshot and --fold-from")
    if from_snapshot is None:
        return Path.cwd() / file if file is not None else None
    if from_snapshot != str(CHANGELOG):
        raise typer.BadParameter(f"--from-snapshot {from_snapshot}: expected changelog; for a file: --snapshot FILE")
    if where is not None:
        raise typer.BadParameter("--from-snapshot changelog reads the cluster: a recording may hold its own state")
    return CHANGELOG


async def snapshot_of(start: Path | None, shown: Selection, settings: KafkaSettings) -> Snapshot | None:
    """Return the state to start from. Raises ``SnapshotError``, OSError."""
    if start is None:
        return None
    if start == CHANGELOG:
        return await changelog_before(replace(shown, end=None), settings)
    with start.open("rb") as file:
        try:
            found = unpacked(blocks(file))
        except SnapshotError as cause:
            raise SnapshotError(f"{start}: {cause}") from None
    return found.model_copy(update={"source": f"{start.name}: {found.source}"})


async def changelog_before(shown: Selection, settings: KafkaSettings) -> Snapshot:
    """Return the state before a range begins. Raises ``SnapshotError``."""
    async with opened(settings, EVENTS, shown) as live:
        starts = {number: one.asked if shown.start is not None else None for number, one in live.extents.items()}
    with Meter("reading the changelog") as meter:
        return await changelog_snapshot(settings, starts, meter)


def behind(selection: Selection, snapshot: Snapshot | None) -> Selection:
    """Return the range that is to be read to go on from a snapshot."""
    if snapshot is None:
        return selection
    places = {number: begun.resume for number, begun in beginnings(snapshot).items()}
    return replace(selection, start=Bound(places=places))


def own_snapshot(found: Source, folded: Selection) -> Snapshot | None:
    """Return the state that a recording has in its header, unless the fold is to begin elsewhere."""
    return found.header.snapshot if found.header is not None and folded.start is None else None


def restore(refold: Refold, snapshot: Snapshot | None, found: Source, rules: Rules) -> list[str]:
    """Let the fold begin from a snapshot; return what there is to say of it. Raises ``SnapshotError``."""
    if snapshot is None:
        return []
    snapshot.fits(found.cluster, found.partitions)
    for number, begun in beginnings(snapshot).items():
        extent = found.live.extents.get(number) if found.live is not None else None
        if found.live is not None and extent is not None and begun.reached > found.live.ends[number]:
            raise SnapshotError(
                f"the snapshot reaches to offset {begun.reached} of partition {number}, but the log ends at "
                f"{found.live.ends[number]}: it was made anew or lost records"
            )
    refold.restore(snapshot)
    if snapshot.rules not in ({}, asdict(rules)):
        return ["the snapshot came about by other rules: what was decided before it may be otherwise"]
    return []


def save(path: Path, refold: Refold, found: Source, rules: Rules) -> None:
    """Write the state at the end. Raises FileExistsError."""
    snapshot = Snapshot(
        source=f"a replay of {found.name}",
        cluster=found.cluster,
        partitions=found.partitions,
        rules=asdict(rules),
        parts=refold.parts(),
    )
    with path.open("xb") as file:
        file.write(packed(snapshot))
