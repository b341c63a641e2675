"""``muster bench``: how fast the parts are on a real broker, beside bounds measured in the same run."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.bench import proof
from services.cli.bench.contest import BARE, PROCESSOR, REPLAY, WANTED
from services.cli.bench.measured import Measured, show
from services.cli.bench.memory import sustain
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
    measured = Measured(heartbeats, workloads, rounds, per_record, proven)
    show(measured.rates(servers), measured, output, PROCESSOR, WANTED)


@app.command(epilog="Exit codes: 0 measured; 1 could not be measured. A missed target is shown, and no error.")
def replay(
    heartbeats: Annotated[int, typer.Option(min=1000, help="Heartbeats in the log.")] = 400_000,
    workloads: Annotated[int, typer.Option(min=1, help="Workloads that send them.")] = 2000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contestant runs, in turns.")] = 3,
    proven: Annotated[
        bool, typer.Option("--proven/--unproven", help="Whether the sessions prove themselves and show links.")
    ] = True,
    sustained: Annotated[
        int,
        typer.Option(min=0, help="Then fold so many, made as they are folded, and say how memory grew; 0: do not."),
    ] = 0,
    servers: Annotated[
        str | None,
        typer.Option("--bootstrap-servers", help="An empty Kafka to measure on. [default: a local one, then ended]"),
    ] = None,
    output: Annotated[str, typer.Option("-o", "--output", metavar="table|json", help="Form of the output.")] = "table",
) -> None:
    """Measure a replay beside a bare aiokafka consumer and the live processor, and what it keeps in memory.

    For example:

      muster bench replay

      muster bench replay --heartbeats 1000000 -o json

      muster bench replay --sustained 10000000
    """
    measured = Measured(heartbeats, workloads, rounds, 0, proven, (BARE, PROCESSOR, REPLAY))
    rates = measured.rates(servers)
    show(rates, measured, output, REPLAY, {PROCESSOR: 1.0}, measured.kept())
    if sustained:
        grown = sustain(workloads, sustained)
        words = f"{grown.heartbeats} heartbeats more: {grown.grown} bytes, {grown.per_heartbeat:.4f} for each of them"
        typer.echo(f"resident memory, behind the first tenth, grew by {words}", err=output == "json")


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
