"""The page cannot rot: it says what the commands say."""

import shlex
from typing import Any

import pytest
import typer.main

from services.cli.main import app
from tests.night import PAGE, STEPS, page

pytestmark = pytest.mark.usefixtures("restored_logs")


def test_the_page_shows_what_the_commands_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert page() == PAGE.read_text(encoding="utf-8"), "run: make night"


def parsed(words: list[str]) -> None:
    """Read a command as the command line does, without running it; raises what it would say."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("muster", list(words))
    rest = words
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, list(rest), parent=context)


TOLD = [line.strip() for step in STEPS for line in step.words.splitlines() if line.startswith("    muster ")]


@pytest.mark.parametrize("line", TOLD)
def test_a_command_that_is_only_told_is_one(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    parsed([word for word in words if not word.startswith(">")])


def test_the_commands_that_are_only_told_are_found() -> None:
    assert {line.split()[1] for line in TOLD} >= {"record", "override", "restore", "replay"}
    with pytest.raises(Exception, match="No such option"):
        parsed(["override", "hold-removals", "--grupp", "x"])
