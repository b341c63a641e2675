"""``python -m tests.chaos [FAULT…]``: real faults on real parts, one by one; exit status 1 where one wronged."""

import asyncio
import json
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from schemas import topics
from services.local import golang
from services.local.cache import quietly
from services.local.kube import Kube
from tests.chaos import kept, page, report, trial
from tests.chaos.arena import KUBE_ARGUMENTS, Arena, broker
from tests.chaos.faults import FAULTS, words
from tests.chaos.small import PARTITIONS, SIZE
from tests.chaos.trial import Figures

WORKLOADS = 120


def main(
    faults: Annotated[list[str] | None, typer.Argument(help="Which faults; all of them without one.")] = None,
    workloads: Annotated[int, typer.Option(min=80, max=2000, help="How many agents there are.")] = WORKLOADS,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    folder: Annotated[Path | None, typer.Option(help="Where data and logs are kept.")] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write a page of it, and figures beside it; faults made again replace theirs.")
    ] = None,
    *,
    list_them: Annotated[bool, typer.Option("--list", help="Say what each fault is, and end.")] = False,
) -> None:
    """Let real faults happen to real parts, and say what came of it."""
    if list_them:
        for name in FAULTS:
            typer.echo(f"{name.ljust(report.WIDTHS[0])}  {words(name)}")
        return
    if output not in {"table", "json"}:
        raise typer.BadParameter(f"--output is {output!r}: table or json", param_hint="--output")
    names = _chosen(faults)
    place = folder or Path(tempfile.mkdtemp(prefix="muster-chaos-"))
    found = asyncio.run(_run(names, workloads, place.absolute(), tell=output == "table"))
    if output == "json":
        typer.echo(json.dumps(report.document(found), indent=2))
    if write:
        acts = {name: words(name) for name in FAULTS}
        merged = kept.merge(write, {one.fault: one for one in found})
        told = [merged[name] for name in FAULTS if name in merged]
        write.write_text(page.page(told, workloads, acts, datetime.now(UTC).date()))
    sys.exit(_verdict(found, place))


def _chosen(faults: list[str] | None) -> list[str]:
    names = faults or list(FAULTS)
    if unknown := [name for name in names if name not in FAULTS]:
        raise typer.BadParameter(f"no fault is called {', '.join(unknown)}; --list says which there are")
    return names


def _verdict(found: Sequence[Figures], place: Path) -> int:
    """Say what broke; return the exit status."""
    broken = [one for one in found if one.broken]
    for one in broken:
        for told in one.broken:
            typer.echo(f"{one.fault}: {told}", err=True)
    if broken:
        typer.echo(f"data and logs: {place}", err=True)
    return 1 if broken else 0


async def _run(names: Sequence[str], workloads: int, folder: Path, *, tell: bool) -> list[Figures]:
    await golang.build_kube(quietly)
    if tell:
        typer.echo(f"{workloads} workloads (small-…: {SIZE}), windows of 1 s; {report.machine()}\n\n{report.head()}")
    large = [name for name in names if not FAULTS[name].small]
    small = [name for name in names if FAULTS[name].small]
    found = []
    if large:
        async with _arena(folder, topics.DEFAULT_PARTITIONS) as arena:
            await arena.begin(workloads)
            found += await _one_by_one(large, arena, tell=tell)
    if small:
        async with _arena(folder / "small", PARTITIONS) as arena:
            await arena.begin_in_quarters(SIZE)
            found += await _one_by_one(small, arena, tell=tell)
    return found


@asynccontextmanager
async def _arena(folder: Path, partitions: int) -> AsyncIterator[Arena]:
    """Give an arena with a broker and an API of its own, and nobody in it yet."""
    folder.mkdir(parents=True, exist_ok=True)
    kafka, kube = broker(folder), Kube(folder / "kube", KUBE_ARGUMENTS)
    try:
        await asyncio.gather(kafka.start(), kube.start())
        async with Arena(folder, kafka, kube, partitions) as arena:
            yield arena
    finally:
        await asyncio.gather(kafka.stop(), kube.stop())


async def _one_by_one(names: Sequence[str], arena: Arena, *, tell: bool) -> list[Figures]:
    found = []
    for name in names:
        found.append(await trial.run(name, FAULTS[name].act, arena))
        if tell:
            typer.echo(report.line(found[-1]))
    return found


if __name__ == "__main__":
    # The parts configure themselves from the environment: a developer's own settings are none of theirs.
    for name in list(os.environ):
        if name.startswith("MUSTER_") and name != "MUSTER_CACHE_DIR":
            del os.environ[name]
    # That the broker is away is no news where it is killed on purpose.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    typer.run(main)
