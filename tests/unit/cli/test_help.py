"""Help is read on terminals of any width: its prose fills the lines, its examples can be copied."""

import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.cli.main import GROUPS, app

NARROW, BROAD, ENDLESS = 80, 120, 1000


Path = tuple[str, ...]
"""The words that a command is called by, ``muster`` aside."""


def every(command: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - typer's own types are private
    """Yield each command with its path."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        module, _, attribute = GROUPS.get(name, "").partition(":")
        lazy = not path and module
        real = typer.main.get_command(getattr(importlib.import_module(module), attribute)) if lazy else inner
        yield from every(real, (*path, name))


COMMANDS = dict(every(typer.main.get_command(app)))
each = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


@functools.cache
def rendered(path: Path, width: int) -> str:
    """Return the help of a command as a terminal of that width shows it."""
    done = CliRunner().invoke(app, [*path, "--help"], prog_name="muster", env={"COLUMNS": str(width)})
    assert done.exit_code == 0
    return done.output


def around(help_text: str) -> list[str]:
    """Return what stands before and behind the boxes of arguments, options and commands: usage, prose, exit codes."""
    return re.split(r"^╭.*╯\s*$", help_text, flags=re.MULTILINE | re.DOTALL)


def paragraphs(text: str) -> list[list[str]]:
    """Return the lines of each paragraph."""
    return [list(lines) for filled, lines in groupby(text.splitlines(), lambda line: bool(line.strip())) if filled]


def written(path: Path) -> list[list[str]]:
    """Return the paragraphs of a command's docstring."""
    return paragraphs(inspect.cleandoc(COMMANDS[path].help))


@each
@pytest.mark.parametrize("width", [NARROW, BROAD])
def test_no_line_of_prose_ends_before_it_is_full(path: Path, width: int) -> None:
    for part in around(rendered(path, width)):
        for lines in paragraphs(part):
            for line, after in pairwise(lines):
                if not after.startswith("  "):
                    assert len(f"{line.rstrip()} {after.split()[0]}") > width - 1, line


@each
def test_nothing_of_the_prose_is_lost(path: Path) -> None:
    told = " ".join(around(rendered(path, NARROW))[0].split())
    assert told.endswith(" ".join(COMMANDS[path].help.split()))


@each
def test_an_example_keeps_its_lines_and_fits_a_narrow_terminal(path: Path) -> None:
    told = [line.rstrip() for line in rendered(path, NARROW).splitlines()]
    examples = [line for lines in written(path) if lines[0].startswith(" ") for line in lines]
    assert [f" {line}" for line in examples if f" {line}" not in told] == []
    assert all(example.startswith("  ") for example in examples)


@each
def test_nothing_of_what_options_say_is_lost(path: Path) -> None:
    told = " ".join(rendered(path, ENDLESS).split())
    helps = [one.help for one in COMMANDS[path].params if one.help]
    assert [words for words in helps if " ".join(words.split()) not in told] == []
