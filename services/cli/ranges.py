"""The options by which commands choose a part of the log, and what they become."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from schemas.topics import EVENTS
from services.cli.printing import faults_told
from services.replay.aside import waits
from services.replay.labels import LabelError, Labels, labels, parts
from services.replay.moments import Reach
from services.replay.places import bound
from services.replay.reach import recorded
from services.replay.selection import FIELDS, Filter, Selection, SelectionError, terms

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="PLACE",
        help="Begin here: an offset, partition:offset,…, a time (RFC 3339, or 03:12 in UTC), 15m (before the end), or "
        "beginning.",
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
        help="Only records where all hold (also !=): key, workload, group, namespace, session, type, partition. Not "
        "every record tells its workload's labels: replay and events choose by these.",
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
EventSelector = Annotated[
    list[str] | None,
    typer.Option(
        "-l",
        "--selector",
        metavar="NAME=VALUE,…",
        help="As in kubectl: labels of the workload (=, !=, in, notin, NAME, !NAME), as it told them last in what is "
        "read. Besides: key, workload, group, namespace, session, type, partition; write label:type for a label so "
        "named.",
    ),
]
LabelSelector = Annotated[
    list[str] | None,
    typer.Option(
        "-l",
        "--selector",
        metavar="NAME=VALUE,…",
        help="As in kubectl: labels of the workload (=, !=, in, notin, NAME, !NAME).",
    ),
]
_LABEL = "label:"


def separated(selectors: list[str] | None) -> tuple[list[str], Labels]:
    """Return what of ``-l`` is about keys, and the labels; or end the command with exit code 2."""
    named = {False: list[str](), True: list[str]()}
    for part in parts(selectors or []):
        if not (of_field := _of_field(part)) and not part.startswith(_LABEL):
            _no_field(part)
        named[of_field].append(part.removeprefix(_LABEL))
    return named[True], labelled(named[False])


def of_fields(selectors: list[str] | None) -> list[str]:
    """Return the parts of ``-l`` where labels cannot be chosen by; or end the command with exit code 2."""
    found = parts(selectors or [])
    if wrong := next((part for part in found if not _of_field(part)), None):
        raise typer.BadParameter(
            f"-l {wrong}: expected NAME=VALUE or NAME!=VALUE, NAME one of {', '.join(FIELDS)}. Not every record tells "
            "its workload's labels: leave this out, and choose by labels what is read of the recording, with muster "
            "replay FILE -l … or muster events cat FILE -l …"
        )
    return found


def _of_field(part: str) -> bool:
    name, sign, _ = part.partition("=")
    return bool(sign) and name.rstrip("!").strip() in FIELDS


def _no_field(part: str) -> None:
    """End the command where a field is asked for in a way of labels only: it would be of a label that nobody has."""
    for one in labelled([part]).requirements:
        if one.name in FIELDS:
            raise typer.BadParameter(
                f"-l {part}: {one.name} is of the record, and takes {one.name}=VALUE or {one.name}!=VALUE; for a label "
                f"of that name write label:{part}"
            )


def labelled(selectors: list[str] | None) -> Labels:
    """Return the labels of ``-l``; or end the command with exit code 2."""
    try:
        return labels(parts(selectors or []))
    except LabelError as error:
        raise typer.BadParameter(str(error)) from None


def selected(
    start: str | None,
    end: str | None,
    partitions: list[int] | None = None,
    namespace: str | None = None,
    selectors: list[str] | None = None,
    where: Path | None = None,
    topic: str = EVENTS,
) -> Selection:
    """Return what the options select of a topic in ``where`` (None: the cluster), or end the command.

    With exit code 2 where they cannot be understood, with 1 where a time depends on a recording that cannot be read.
    """

    def reach() -> Reach:
        return _reach(where, topic)

    try:
        return Selection(
            start=bound(start, reach) if start else None,
            end=bound(end, reach) if end else None,
            partitions=frozenset(partitions) if partitions else None,
            filter=Filter(namespace, terms(selectors or [])),
        )
    except SelectionError as error:
        raise typer.BadParameter(str(error)) from None


def _reach(where: Path | None, topic: str) -> Reach:
    """Return how far the log reaches of which times like 15m and 03:12 are. Raises ``SelectionError``."""
    if where is None:
        return Reach(datetime.now(UTC))
    if waits(where):
        raise SelectionError(f"{where} says only at its end how far it reaches: write the day too, 2026-11-23T03:12")
    with faults_told():
        found = recorded(where, topic)
    if found is None:
        raise SelectionError(f"{where} has no records of {topic}: there is no end from which to count times")
    return found
