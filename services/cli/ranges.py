"""The options by which commands choose a part of the log, and what they become."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from services.replay.selection import Filter, Selection, SelectionError, bound, terms

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="PLACE",
        help="Begin here: an offset, partition:offset,…, an RFC 3339 time, 15m (ago), or beginning.",
    ),
]
To = Annotated[str | None, typer.Option("--to", metavar="PLACE", help="End before here; the same forms, or end.")]
Partitions = Annotated[
    list[int] | None, typer.Option("-p", "--partition", min=0, help="Only this partition; may be repeated.")
]
Namespace = Annotated[str | None, typer.Option("-n", "--namespace", help="Only this namespace.")]
Terms = Annotated[
    list[str] | None,
    typer.Option(
        "-l",
        "--selector",
        metavar="NAME=VALUE,…",
        help="Only records where all hold (also !=): key, workload, group, namespace, session, type, partition.",
    ),
]


def selected(
    start: str | None,
    end: str | None,
    partitions: list[int] | None = None,
    namespace: str | None = None,
    selectors: list[str] | None = None,
) -> Selection:
    """Return what the options select, or end the command with exit code 2."""
    now = datetime.now(UTC)
    try:
        return Selection(
            start=bound(start, now) if start else None,
            end=bound(end, now) if end else None,
            partitions=frozenset(partitions) if partitions else None,
            filter=Filter(namespace, terms(selectors or [])),
        )
    except SelectionError as error:
        raise typer.BadParameter(str(error)) from None
