"""``muster topics``: create the topics, or say how they differ from what Muster needs."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from typing import Annotated, Any

import typer

from schemas.topics import DEFAULT_PARTITIONS, DEFAULT_RETENTION_DAYS
from services.cli.options import EXIT_WRONG, Assignments, Config, Form, Servers, settings_of
from services.runtime.config import ServiceSettings
from services.runtime.topic_differences import TopicResult, explained
from services.runtime.topics import TopicRefusedError, apply, check

app = typer.Typer(
    help="Create the topics in Kafka, or check those that exist.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_EXIT_CODES = "Exit codes: 0 all fine; 1 a topic is missing, differs or is refused (each is listed); 2 wrong usage."


OutputOption = Annotated[Form, typer.Option("-o", "--output", help="Form of the output.")]


@app.command("apply", epilog=_EXIT_CODES)
def apply_command(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of all topics but muster.rejected.")] = (
        DEFAULT_PARTITIONS
    ),
    retention_days: Annotated[int, typer.Option(min=1, help="How long events can be replayed.")] = (
        DEFAULT_RETENTION_DAYS
    ),
    replication_factor: Annotated[
        int, typer.Option(min=1, help="Replicas of each new partition; 3 in production.")
    ] = 1,
    output: OutputOption = Form.TABLE,
    servers: Servers = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Create missing topics and check the others; an existing topic is never altered.

    For example:

      muster topics apply

      muster topics apply --partitions 32 --replication-factor 3
    """
    kafka = settings_of(ServiceSettings, "topics", config, servers, assignments).kafka
    _finish(apply(kafka, partitions, replication_factor, retention_days), output)


@app.command("check", epilog=_EXIT_CODES)
def check_command(
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Expected partitions. [default: those of muster.events]")
    ] = None,
    retention_days: Annotated[int | None, typer.Option(min=1, help="Expected retention. [default: any]")] = None,
    output: OutputOption = Form.TABLE,
    servers: Servers = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Compare the topics with what Muster needs; nothing is changed.

    For example:

      muster topics check

      muster topics check -o json | jq '.[] | select(.differences != [])'
    """
    kafka = settings_of(ServiceSettings, "topics", config, servers, assignments).kafka
    _finish(check(kafka, partitions, retention_days), output)


def _finish(looking: Coroutine[Any, Any, list[TopicResult]], output: Form) -> None:
    try:
        results = asyncio.run(looking)
    except TopicRefusedError as error:
        typer.echo(f"Kafka refused: {error}", err=True)
        raise typer.Exit(EXIT_WRONG) from None
    if output is Form.JSON:
        typer.echo(
            json.dumps([{**one._asdict(), "differences": [d._asdict() for d in one.differences]} for one in results])
        )
    else:
        _print_table(results)
        for line in explained(results):
            typer.echo(line, err=True)
    if not all(one.fine for one in results):
        raise typer.Exit(EXIT_WRONG)


def _print_table(results: Sequence[TopicResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("TOPIC", "PARTITIONS", "STATE", "DIFFERENCES", box=None, pad_edge=False)
    for one in results:
        table.add_row(one.name, str(one.partitions), one.outcome, ", ".join(d.setting for d in one.differences))
    Console().print(table)
