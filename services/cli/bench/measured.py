"""One measurement as the command line runs and shows it."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from services.cli.bench import contest, memory
from services.cli.bench.contest import BARE, PER_RECORD, PROCESSOR, Contest
from services.cli.bench.figures import Rate, compare, medians
from services.cli.bench.memory import Kept

SAMPLE = 2000
"""Workloads whose memory is measured: more only takes longer."""


@dataclass(frozen=True)
class Measured:
    """What is to be measured."""

    heartbeats: int
    workloads: int
    rounds: int
    per_record: int
    proven: bool
    contestants: tuple[str, ...] = (BARE, PROCESSOR, PER_RECORD)

    def rates(self, servers: str | None) -> dict[str, list[Rate]]:
        """Return the rates of each contestant, round by round; or end the command with exit code 1."""
        err = Console(stderr=True)
        with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder, err.status("starting…") as status:
            numbers = (self.workloads, self.heartbeats, self.rounds, self.per_record)
            run = Contest(*numbers, self.proven, Path(folder), status.update, self.contestants)
            try:
                return asyncio.run(run.run(servers))
            except contest.ContestError as error:
                err.print(str(error), style="red", markup=False, soft_wrap=True)
                raise typer.Exit(1) from error

    def kept(self) -> Kept:
        """Return what a fold keeps in memory."""
        with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
            return memory.measure(Path(folder) / "mint", min(self.workloads, SAMPLE), proven=self.proven)


def show(
    rates: dict[str, list[Rate]],
    measured: Measured,
    output: str,
    own: str,
    wanted: Mapping[str, float],
    kept: Kept | None = None,
) -> None:
    """Print how ``own`` stands beside the others."""
    figures = medians(rates)
    verdicts = compare(figures, own, wanted)
    if output == "json":
        told = {
            "heartbeats": measured.heartbeats,
            "workloads": measured.workloads,
            "proven": measured.proven,
            "rounds": {
                name: [{"perSecond": r.per_second, "cpuMicroseconds": r.cpu_us} for r in runs]
                for name, runs in rates.items()
            },
            "medians": {
                name: {"perSecond": r.per_second, "perCore": r.per_core, "cpuMicroseconds": r.cpu_us}
                for name, r in figures.items()
            },
            "ratios": [{**v._asdict(), "met": v.met} for v in verdicts],
        }
        if kept is not None:
            told["memory"] = {"bytesPerWorkload": kept.per_workload, "bytesPerHeartbeat": kept.per_heartbeat}
        typer.echo(json.dumps(told, indent=2))
        return
    table = Table("CONTESTANT", "HEARTBEATS/S", "PER CORE/S", "CPU µs EACH", "ROUNDS (CPU µs)", box=None)
    for name, rate in figures.items():
        every = " ".join(f"{r.cpu_us:.1f}" for r in rates[name])
        table.add_row(name, f"{rate.per_second:,.0f}", f"{rate.per_core:,.0f}", f"{rate.cpu_us:.1f}", every)
    console = Console()
    console.print(table)
    for v in verdicts:
        word = "as wanted" if v.met else "LESS THAN WANTED"
        console.print(
            f"{own} beside {v.beside}: {v.wall:.2f} by wall time, {v.cpu:.2f} by CPU time (wanted: {v.wanted:.2f}): "
            f"{word}",
            soft_wrap=True,
        )
    if kept is not None:
        console.print(
            f"kept in memory: {kept.per_workload:,.0f} bytes for each workload, {kept.per_heartbeat:.2f} more for each "
            "heartbeat",
            soft_wrap=True,
        )
