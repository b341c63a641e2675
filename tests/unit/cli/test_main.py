import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.cli.main import EXIT_CODES, GROUPS, app

HEAVY = ("aiokafka", "faust", "kubernetes", "pydantic", "aiohttp", "structlog")


def test_help_names_every_command() -> None:
    words = CliRunner().invoke(app, ["--help"]).output
    for command in ("agent", "fleet", "processor", "sink", "local", "status", "explain", "topics", "schemas"):
        assert command in words


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from services.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_command_that_tells_no_help_does_not_import_what_help_needs(tmp_path: Path) -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from services.cli.main import app\n"
        f"assert CliRunner().invoke(app, ['schemas', 'write', {str(tmp_path)!r}]).exit_code == 0\n"
        "print([name for name in ('services.cli.prose', 'rich.markup') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("group", ["topics", "schemas"])
def test_a_group_is_entered_when_it_is_named(group: str) -> None:
    done = CliRunner().invoke(app, [group, "check", "--help"])
    assert done.exit_code == 0
    assert f"muster {group} check" in done.output


def test_an_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["mustr"]).exit_code == 2


def test_an_unknown_form_of_output_is_wrong_usage() -> None:
    done = CliRunner().invoke(app, ["status", "-o", "xml"])
    assert done.exit_code == 2
    assert ("'xml' is not one of" in done.output, "Value error" in done.output) == (True, False)


@pytest.mark.parametrize("wrong", [("-o", "xml"), ("--at", "yesterday"), ("--set", "rules.missed_windows=0")])
@pytest.mark.usefixtures("restored_logs")
def test_what_explain_cannot_use_is_wrong_usage(wrong: tuple[str, str]) -> None:
    assert CliRunner().invoke(app, ["explain", "anybody", *wrong]).exit_code == 2


def test_written_schemas_are_found_equal_and_a_changed_one_is_named(tmp_path: Path) -> None:
    folder = str(tmp_path / "v1")
    assert CliRunner().invoke(app, ["schemas", "write", folder]).exit_code == 0
    assert CliRunner().invoke(app, ["schemas", "check", folder]).exit_code == 0
    (tmp_path / "v1" / "tick.json").write_text("{}")
    (tmp_path / "v1" / "resumed.json").unlink()
    (tmp_path / "v1" / "extra.json").write_text("{}")
    done = CliRunner().invoke(app, ["schemas", "check", folder])
    assert done.exit_code == 1
    for words in ("tick.json: differs", "resumed.json: missing", "extra.json: no such message", "muster schemas write"):
        assert words in done.output


def test_help_of_muster_has_the_table_of_exit_codes() -> None:
    words = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output.split())
    assert "Exit codes: 0 done, and as it should be; 1 what was looked at is not so" in words


def test_every_command_says_what_its_exit_codes_mean() -> None:
    """Those whose group is entered lazily too; and none has a code that the main table does not know."""
    silent, known = [], set(re.findall(r"\b\d+\b", EXIT_CODES))
    for path, epilog in _epilogs():
        if "Exit codes:" not in epilog:
            silent.append(path)
        elif strange := set(re.findall(r"(?:Exit codes:|;|and) (\d+)\b", epilog)) - known:
            silent.append(f"{path}: {strange}")
    assert silent == []


def _epilogs() -> Iterator[tuple[str, str]]:
    root = typer.main.get_command(app)
    for name in root.commands:  # type: ignore[attr-defined]
        command = root.commands[name]  # type: ignore[attr-defined]
        if name in GROUPS:
            module, _, attribute = GROUPS[name].partition(":")
            command = typer.main.get_command(getattr(importlib.import_module(module), attribute))
        yield from _inner(name, command)


def _inner(path: str, command: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - typer's own types are private
    if not hasattr(command, "commands"):
        yield path, command.epilog or ""
        return
    for name, inner in command.commands.items():
        yield from _inner(f"{path} {name}", inner)
