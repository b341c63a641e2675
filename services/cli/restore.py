"""``muster restore``: an order to the sink to bring the WorkloadEntry of a removed workload back, for a time."""

import asyncio
from typing import Annotated

import typer

from schemas.message import rfc3339
from schemas.names import WorkloadKey
from schemas.removals import Restore
from schemas.topics import RESTORES
from services.cli.asking import Who, Why, Yes, agreed, seconds, signed
from services.cli.naming import AmbiguousWorkloadError, Asked, NoSuchWorkloadError, chosen
from services.cli.options import EXIT_USAGE, EXIT_WRONG, Assignments, Config, Servers, settings_of
from services.cli.removed import Removed
from services.runtime.config import KafkaSettings, ServiceSettings
from services.runtime.kafka import answered, close, producer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(
    epilog="Exit codes: 0 written; 1 there is no such removal, or the workload is back, or it was not agreed to; "
    "2 wrong usage, the name of several, or nobody to ask. Nothing is written but for 0."
)
def restore(
    workload: Annotated[str, typer.Argument(help="Name of the object, identity, or NAMESPACE/GROUP/IDENTITY.")],
    why: Why,
    lasting: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long, like 90m; a day at most.")
    ] = "1h",
    namespace: Annotated[str | None, typer.Option("-n", "--namespace", help="Only this namespace.")] = None,
    who: Who = None,
    yes: Yes = False,
    servers: Servers = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Bring the WorkloadEntry of a removed workload back: for a machine that is in fact alive.

    The sink writes it as it was when it was removed. It stands until the agent speaks again, which makes it part of
    the new registration, or until its time is over: then the sink takes it back. There is no registration meanwhile.

    For example:

      muster restore ratings-jwt-corp--ann -n bookinfo --for 2h --why "it serves"
    """
    who, why = signed(who, why)
    length = seconds(lasting, "restored")
    kafka = settings_of(ServiceSettings, "restore", config, servers, assignments).kafka
    removed = Removed()
    asyncio.run(removed.read(kafka))
    key = _meant(Asked(workload, namespace), removed)
    order = Restore(removal=removed.removals[key], who=who, why=why, for_seconds=length)
    agreed(_plan(kafka, key, order), yes=yes)
    asyncio.run(_write(kafka, key, order))
    typer.echo(f"restore of {order.removal.namespace}/{order.removal.name} for {lasting} written; the sink does it")


def _meant(asked: Asked, removed: Removed) -> WorkloadKey:
    """Return the removed workload that is meant, if it can be restored."""
    try:
        key = chosen(asked, removed.removals)
    except (NoSuchWorkloadError, AmbiguousWorkloadError) as error:
        typer.echo(f"among the removed, {error}", err=True)
        raise typer.Exit(EXIT_USAGE if isinstance(error, AmbiguousWorkloadError) else EXIT_WRONG) from None
    if key not in removed.removals:
        typer.echo(f"no removal of {'/'.join(key)} is known: see muster removals", err=True)
        raise typer.Exit(EXIT_WRONG)
    if (state := removed.since(key)) is not None:
        typer.echo(
            f"{'/'.join(key)} is {state.presence} since {rfc3339(state.since)}: its agent spoke after the removal, "
            "and there is nothing to restore",
            err=True,
        )
        raise typer.Exit(EXIT_WRONG)
    return key


def _plan(kafka: KafkaSettings, key: WorkloadKey, order: Restore) -> list[str]:
    removal = order.removal
    addresses = ", ".join(one.ip for one in removal.spec.registration.host.addresses) or "none"
    words = removal.message or removal.reason
    return [
        f"To {RESTORES} at {kafka.bootstrap_servers}, under {'/'.join(key)}:",
        f"  the WorkloadEntry {removal.name} in namespace {removal.namespace}, addresses {addresses},",
        f"  removed {rfc3339(removal.removed_at)} by the tick at {removal.partition}:{removal.revision}, {words},",
        f"  for {order.for_seconds} s, by {order.who}: {order.why}",
    ]


async def _write(kafka: KafkaSettings, key: WorkloadKey, order: Restore) -> None:
    pen = await producer(kafka)
    try:
        await answered(pen.send_and_wait, RESTORES, order.to_json(), key.to_bytes(), what=f"writing to {RESTORES}")
    finally:
        await close(pen)
