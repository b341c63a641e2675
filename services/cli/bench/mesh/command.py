"""``muster bench load``."""

import asyncio
import json
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.cli.bench.mesh import report, ticks
from services.cli.bench.mesh.parts import Parts
from services.cli.bench.mesh.results import Cell, Outcome
from services.cli.bench.mesh.ticks import TickCost
from services.cli.bench.mesh.trial import Plan, measure
from services.cli.table import table
from services.local.child import StartError
from services.sink.ports import ClusterError

CELLS = ("500x2", "500x0.5", "2000x2")
LEAST = 20


def load(
    cells: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORKLOADSxSECONDS...", help="Workloads, and seconds between heartbeats of each."),
    ] = None,
    steady: Annotated[float, typer.Option(min=5, help="Seconds in which nothing happens but heartbeats.")] = 20,
    join: Annotated[float, typer.Option(min=0, help="Seconds over which the agents start.")] = 5,
    deletions: Annotated[int, typer.Option(min=1, help="Registrations that are deleted at once.")] = 100,
    budget: Annotated[float, typer.Option(min=1, help="The sink's write budget, in writes per second.")] = 1000,
    write: Annotated[Path | None, typer.Option(help="Write the page of it to this file, and JSON beside it.")] = None,
    output: Annotated[str, typer.Option("-o", "--output", metavar="table|json", help="Form of the output.")] = "table",
) -> None:
    """Measure all of Muster under load, on a local Kafka and a local Kubernetes API that are ended afterwards.

    For example:

      muster bench load

      muster bench load 10000x10 --steady 300 --deletions 1000 -o json
    """
    chosen = [_cell(words) for words in cells or CELLS]
    plan = Plan(steady, join, deletions, budget)
    err = Console(stderr=True)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder, err.status("starting…") as status:
        status.update("closing windows…")
        costs = ticks.measure()
        for number, cell in enumerate(chosen):
            words = f"{cell.workloads:,} every {cell.heartbeat_s:g} s"
            parts = Parts(Path(folder) / str(number), cell.heartbeat_s, cell.window_ms, budget)
            try:
                outcomes.append(
                    asyncio.run(measure(cell, plan, parts, lambda told, w=words: status.update(f"{w}: {told}")))  # type: ignore[misc]
                )
            except (StartError, TimeoutError, ClusterError) as error:
                err.print(f"{words}: {error}", style="red", markup=False, soft_wrap=True)
                raise typer.Exit(1) from error
            if write:
                # After each: a later cell that fails takes nothing with it.
                _write(write, outcomes, costs, plan)
    if output == "json":
        typer.echo(json.dumps(report.document(outcomes, costs, plan), indent=2))
        return
    typer.echo(f"{report.machine()}\n")
    lines = [[cell.replace("*", "").replace("`", "") for cell in line] for line in report.rows(outcomes)]
    typer.echo("\n".join(table(report.head(outcomes), lines)))
    typer.echo("\nClosing a window of a partition, in milliseconds of CPU:\n")
    typer.echo("\n".join(table(report.TICKS, report.closing(costs))))


def _write(file: Path, outcomes: Sequence[Outcome], costs: Sequence[TickCost], plan: Plan) -> None:
    beside = file.with_suffix(".json")
    today = datetime.now(UTC).date()
    document = {"date": today.isoformat(), **report.document(outcomes, costs, plan)}
    beside.write_text(json.dumps(document, indent=2) + "\n")
    file.write_text(report.page(outcomes, costs, plan, today, beside.name))


def _cell(words: str) -> Cell:
    found = re.fullmatch(r"(\d+)x(\d+(?:\.\d+)?)", words)
    cell = Cell(int(found[1]), float(found[2])) if found else None
    if cell is None or cell.workloads < LEAST or not 0.1 <= cell.heartbeat_s <= 600:  # noqa: PLR2004 - the words say it
        raise typer.BadParameter(f"{words!r} is no cell: like 2000x5, from {LEAST} workloads, every 0.1 to 600 s")
    return cell
