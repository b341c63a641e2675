"""``muster override``: an operator's order, appended to the log like everything else that happens."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.events import Override, OverrideAction
from schemas.names import CONTROL_KEY, WorkloadKey
from schemas.removals import Release
from schemas.topics import EVENTS
from services.cli import release
from services.cli.asking import Who, Why, Yes, agreed, seconds, signed
from services.cli.options import Assignments, Config, Servers, settings_of
from services.identity.signing import Signer, signer
from services.runtime.config import ConfigError, KafkaSettings, ServiceSettings
from services.runtime.kafka import answered, close, partition_count, producer, reader

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Action(StrEnum):
    """What can be ordered, as it is typed."""

    RELEASE_BRAKE = "release-brake"
    HOLD_REMOVALS = "hold-removals"
    RESUME_REMOVALS = "resume-removals"
    RELEASE_REMOVALS = "release-removals"
    """Of the sink, not of the roll call: it is no record of the log (ADR 0016)."""

    @property
    def order(self) -> OverrideAction:
        """The same on the wire."""
        return OverrideAction[self.name]


@app.command(epilog="Exit codes: 0 written; 1 not agreed to, nothing was written; 2 wrong usage, or nobody to ask.")
def override(
    action: Annotated[Action, typer.Argument(metavar="|".join(Action), help="What to order.")],
    why: Why,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAMESPACE/GROUP", help="Only workloads of this group.")
    ] = None,
    partitions: Annotated[
        list[int] | None,
        typer.Option("-p", "--partition", min=0, help="Only this partition; may be repeated."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every partition, every group.")] = False,
    lasting: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="release-removals: how long, like 90m. [default: 1h]"),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="Your Ed25519 key (PEM), where the trust bundle lists some."),
    ] = None,
    who: Who = None,
    yes: Yes = False,
    servers: Servers = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Release a brake, or hold removals and resume them: an order to the roll call, with who gave it and why.

    release-brake: whoever is unknown is judged at the next tick, as if so many had not fallen silent together.

    hold-removals: nobody is removed until resume-removals. Grace goes on being counted, so whoever is over it then is
    removed at the next tick; who was removed before stays so.

    resume-removals: --all lifts the holds of groups too; --group lifts only that group's.

    release-removals: to the sink, which takes nothing from the silent while most of the fleet is silent: all who are
    silent are gone, and whoever is over its grace is removed. Give --all.

    For example:

      muster override hold-removals --group bookinfo/ratings --why "they move"

      muster override resume-removals --all --why "they moved" --key ann.key --yes

      muster override release-brake --partition 3 --why "datacenter b is gone"
    """
    if sum(map(bool, (group, partitions, everything))) != 1:
        raise typer.BadParameter("give one of --group, --partition and --all")
    if group is not None:
        _check(group, action)
    who, why = signed(who, why)
    kafka = settings_of(ServiceSettings, "override", config, servers, assignments).kafka
    if action is Action.RELEASE_REMOVALS:
        if not everything:
            raise typer.BadParameter("the whole fleet is doubted or none of it: release-removals is for --all")
        order = Release(who=who, why=why, for_seconds=seconds(lasting or "1h", "ordered"))
        asyncio.run(release.write(kafka, order, yes=yes))
        return
    if lasting is not None:
        raise typer.BadParameter(f"--for is for {Action.RELEASE_REMOVALS}: other orders stand until they are lifted")
    try:
        by = signer(key, "--key")
    except ConfigError as fault:
        raise typer.BadParameter(str(fault)) from None
    told = Override(action=action.order, who=who, why=why, scope=group)
    asyncio.run(_write(kafka, told, by, partitions, yes=yes))
    if action is Action.RELEASE_BRAKE and everything:
        typer.echo("while most of the fleet is silent the sink removes nobody: see release-removals", err=True)


def _check(group: str, action: Action) -> None:
    if action is Action.RELEASE_BRAKE:
        raise typer.BadParameter("a brake is of a whole partition: release it with --partition or --all")
    namespace, slash, name = group.partition("/")
    fault = WorkloadKey(namespace, name, "any").fault() if slash else "expected NAMESPACE/GROUP"
    if fault is not None:
        raise typer.BadParameter(f"--group {group}: {fault}")


async def _write(
    kafka: KafkaSettings, order: Override, by: Signer | None, chosen: list[int] | None, *, yes: bool
) -> None:
    """Append the order to each partition, once it is agreed to; told partition by partition."""
    count = await partition_count(kafka, EVENTS)
    if strange := [number for number in chosen or () if number >= count]:
        raise typer.BadParameter(f"--partition {strange[0]}: {EVENTS} has the partitions 0 to {count - 1}")
    # A group's workloads are in all partitions: their keys are spread.
    places = sorted(set(chosen)) if chosen else list(range(count))
    where = f"partition{'s' if len(places) > 1 else ''} {', '.join(map(str, places))} of {EVENTS}"
    agreed([f"To {where} at {kafka.bootstrap_servers}:", f"  {order.to_json().decode()}"], yes=yes)
    pen = await producer(kafka)
    try:
        ends = await _ends(kafka, places) if by is not None else {}
        for number in places:
            told = order if by is None else by.signed(order.model_copy(update={"after": ends[number]}), number)
            found = await answered(
                pen.send_and_wait, EVENTS, told.to_json(), CONTROL_KEY, number, what=f"writing to {EVENTS}"
            )
            typer.echo(f"{order.action} written to partition {number} at offset {found.offset}")
    finally:
        await close(pen)


async def _ends(kafka: KafkaSettings, places: list[int]) -> dict[int, int]:
    """Return where each partition ends: an order that is signed says so, and counts once, and not much later."""
    consumer = await reader(kafka, EVENTS, places, "end")
    try:
        found = await answered(consumer.end_offsets, list(consumer.assignment()), what=f"end of {EVENTS}")
    finally:
        await close(consumer)
    return {place.partition: end for place, end in found.items()}
