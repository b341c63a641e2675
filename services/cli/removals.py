"""``muster removals``: who was removed, by which verdict, and whether it came back."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from schemas.message import rfc3339
from schemas.names import WorkloadKey
from schemas.topics import REMOVALS_KEPT_DAYS
from services.cli.options import Assignments, Config, Output, Servers, settings_of
from services.cli.printing import faults_told
from services.cli.ranges import LabelSelector, labelled
from services.cli.removed import HEAD, WIDE, Removed
from services.cli.table import table
from services.runtime.config import ServiceSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(
    epilog="Exit codes: 0 shown, also where nobody was removed; 2 wrong usage; 130 interrupted; 141 whoever read "
    "stdout left."
)
def removals(
    namespace: Annotated[str | None, typer.Option("-n", "--namespace", help="Only this namespace.")] = None,
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces (default).")] = False,
    selectors: LabelSelector = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")] = Output.TABLE,
    servers: Servers = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """List the removed, newest first, with what became of them since; the topic muster.removals keeps them a month.

    TICK is partition and offset of the record in muster.events that decided it: muster explain tells the whole story.

    For example:

      muster removals -n bookinfo -l version=v5 -o wide

      muster removals -o json |
        jq -r '.[] | select(.state == "removed") | .removal.name'
    """
    if all_namespaces and namespace:
        raise typer.BadParameter("give one of -n and -A")
    chosen = labelled(selectors)
    kafka = settings_of(ServiceSettings, "removals", config, servers, assignments).kafka
    removed = Removed()
    with faults_told():
        asyncio.run(removed.read(kafka))
    where = f"in {namespace or 'any'} namespace{' with these labels' if selectors else ''}"
    with faults_told():
        _show(removed, removed.chosen(namespace, chosen), output, where)


def _show(removed: Removed, keys: list[WorkloadKey], output: Output, where: str) -> None:
    now = datetime.now(UTC)
    if output is Output.JSON:
        typer.echo(json.dumps([_plain(removed, key, now) for key in keys], indent=2, ensure_ascii=False))
    elif keys:
        wide = output is Output.WIDE
        typer.echo("\n".join(table((*HEAD, *WIDE) if wide else HEAD, removed.rows(keys, now, wide=wide))))
    else:
        typer.echo(f"Nobody was removed {where} in the last {REMOVALS_KEPT_DAYS} days.", err=True)
    if removed.unreadable:
        typer.echo(f"{removed.unreadable} records of removals and restores could not be read", err=True)


def _plain(removed: Removed, key: WorkloadKey, now: datetime) -> dict[str, Any]:
    restored = removed.restores.get(key)
    told = (
        {
            "until": rfc3339(restored.until),
            "who": restored.order.who,
            "why": restored.order.why,
            "revision": restored.order.removal.revision,
        }
        if restored is not None
        else None
    )
    return {
        "key": "/".join(key),
        "state": removed.state(key, now),
        "removal": removed.removals[key].model_dump(mode="json", exclude_none=True),
        "restore": told,
    }
