"""What ``muster override`` refuses before it asks Kafka anything, and what is in force in words."""

import shlex

import pytest
from typer.testing import CliRunner

from services.cli.in_force import lines
from services.cli.main import app
from services.processor.core.rows import Hold, PartitionRow

HOLD = Hold("ann", "the racks move", 1_795_000_000_000)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stop-everything", "--all"), "is not one of"),
        (("hold-removals",), "give one of --group, --partition"),
        (("hold-removals", "--all", "--group", "a/b"), "give one of --group, --partition"),
        (("release-brake", "--group", "a/b"), "a brake is of a whole partition"),
        (("hold-removals", "--group", "ratings"), "expected NAMESPACE/GROUP"),
        (("hold-removals", "--group", "Book/ratings"), "RFC 1123"),
        (("release-removals", "--partition", "1"), "release-removals is for --all"),
        (("release-removals", "--all", "--for", "2d"), "at most a day"),
        (("release-removals", "--all", "--for", "soon"), "--for"),
        (("hold-removals", "--all", "--for", "1h"), "--for is for release-removals"),
        (("hold-removals", "--all", "--why", " "), "--why: expected"),
        (("hold-removals", "--all", "--who", ""), "--who: expected"),
        (("hold-removals", "--all", "--key", "no-such.key"), "--key: no-such.key: No such file"),
    ],
)
def test_an_order_that_cannot_be_meant_is_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    done = CliRunner().invoke(app, ["override", "--why", "test", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert words in done.output


def test_what_is_in_force_names_brakes_and_holds_with_who_and_why() -> None:
    rows = [
        PartitionRow(1, braked=True, held={"a/b": HOLD}),
        PartitionRow(0, held={"a/b": HOLD}),
        PartitionRow(2, held={"*": HOLD}),
    ]
    assert lines(rows) == [
        "partition 1 is braked: nobody in it is marked absent or removed",
        "removals are held by ann: the racks move (partition 2, since 2026-11-18T11:06:40.000Z)",
        "removals of a/b are held by ann: the racks move (partitions 0, 1, since 2026-11-18T11:06:40.000Z)",
    ]


def test_nothing_in_force_is_no_line() -> None:
    assert lines([PartitionRow(0)]) == []


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["override", "re"], ["release-brake", "resume-removals", "release-removals"]),
        (["status", "-o", ""], ["table", "wide", "json"]),
        (["explain", "x", "-o", "t"], ["table"]),
    ],
)
def test_the_shell_completes_what_can_be_chosen(words: list[str], completed: list[str]) -> None:
    line = {"COMP_WORDS": shlex.join(["muster", *words]), "COMP_CWORD": str(len(words))}
    done = CliRunner().invoke(app, [], prog_name="muster", env={"_MUSTER_COMPLETE": "complete_bash", **line})
    assert done.stdout.split() == completed
