"""The options by which commands choose a part of the log, and what they become."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from services.replay.labels import LabelError, Labels, labels, parts
from services.replay.selection import FIELDS, Filter, Selection, SelectionError, bound, terms

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


Selector = Annotated[
    list[str] | None,
    typer.Option(
        "-l",
        "--selector",
        metavar="NAME=VALUE,…",
        help="As in kubectl: labels of the workload (=, !=, in, notin, NAME, !NAME). Besides: key, workload, group, "
        "namespace, partition; write label:group for a label of such a name.",
    ),
]
_LABEL = "label:"


def separated(selectors: list[str] | None) -> tuple[list[str], Labels]:
    """Return what of ``-l`` is about keys, and the labels; or end the command with exit code 2."""
    named = {False: list[str](), True: list[str]()}
    for part in parts(selectors or []):
        name, sign, _ = part.partition("=")
        named[bool(sign) and name.rstrip("!").strip() in FIELDS].append(part.removeprefix(_LABEL))
    try:
        return named[True], labels(named[False])
    except LabelError as error:
        raise typer.BadParameter(str(error)) from None


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
