"""``muster bench``: how fast the parts are on a real broker, beside bounds measured in the same run."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.bench import contest, proof
from services.cli.bench.contest import PROCESSOR, WANTED, Contest
from services.cli.bench.figures import compare, medians
from services.cli.bench.mesh.command import load

app = typer.Typer(no_args_is_help=True, help="Measure the parts on a real broker, beside bounds of the same run.")
app.command(epilog="Exit codes: 0 measured; 1 could not be measured.")(load)


@app.command(epilog="Exit codes: 0 measured; 1 could not be measured. A missed target is shown, and no error.")
def processor(
    heartbeats: Annotated[int, typer.Option(min=1000, help="Heartbeats in the log.")] = 400_000,
    workloads: Annotated[int, typer.Option(min=1, help="Workloads that send them.")] = 2000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contestant runs, in turns.")] = 3,
    per_record: Annotated[int, typer.Option(min=1000, help="Records for the slow contestant.")] = 30_000,
    proven: Annotated[
        bool, typer.Option("--proven/--unproven", help="Whether the sessions prove themselves and show links.")
    ] = True,
    servers: Annotated[
        str | None,
        typer.Option("--bootstrap-servers", help="An empty Kafka to measure on. [default: a local one, then ended]"),
    ] = None,
    output: Annotated[str, typer.Option("-o", "--output", metavar="table|json", help="Form of the output.")] = "table",
) -> None:
    """Measure the processor beside a bare aiokafka consumer and a plain per-record Faust agent.

    For example:

      muster bench processor

      muster bench processor --heartbeats 1000000 -o json
    """
    err = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder, err.status("starting…") as status:
        measured = Contest(workloads, heartbeats, rounds, per_record, proven, Path(folder), status.update)
        try:
            rates = asyncio.run(measured.run(servers))
        except contest.ContestError as error:
            err.print(str(error), style="red", markup=False, soft_wrap=True)
            raise typer.Exit(1) from error
    figures = medians(rates)
    verdicts = compare(figures, PROCESSOR, WANTED)
    if output == "json":
        told = {
            "heartbeats": heartbeats,
            "workloads": workloads,
            "proven": proven,
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
            f"processor beside {v.beside}: {v.wall:.2f} by wall time, {v.cpu:.2f} by CPU time "
            f"(wanted: {v.wanted:.2f}): {word}"
        )


@app.command(epilog="Exit codes: 0 measured.")
def proving(
    heartbeats: Annotated[int, typer.Option(min=10, help="Heartbeats of each workload in a turn.")] = 200,
    output: Annotated[str, typer.Option("-o", "--output", metavar="table|json", help="Form of the output.")] = "table",
) -> None:
    """Measure what proving costs the fold: a heartbeat without and with its link, and verifying a connect.

    For example:

      muster bench proving
    """
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        costs = proof.measure(Path(folder) / "mint", heartbeats)
    if output == "json":
        typer.echo(json.dumps({f"{name}Microseconds": cost for name, cost in costs._asdict().items()}, indent=2))
        return
    table = Table("WHAT THE FOLD DOES", "CPU µs", "BESIDE A HEARTBEAT WITHOUT LINK", box=None)
    named = (
        ("heartbeat without link", costs.heartbeat),
        ("heartbeat with its link", costs.linked),
        ("verify an EC2 document (once a session)", costs.ec2),
        ("verify an OIDC token (once a session)", costs.token),
    )
    for name, cost in named:
        table.add_row(name, f"{cost:.2f}", f"{cost / costs.heartbeat:.1f}")
    Console().print(table)
