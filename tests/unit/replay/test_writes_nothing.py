"""Replay changes nothing on a cluster: not by what it imports, and not by what it calls."""

import ast
from pathlib import Path

import pytest

from services import cli, replay

REPLAY = sorted(Path(replay.__file__).parent.rglob("*.py"))
COMMANDS = sorted(Path(cli.__file__).parent.glob("*.py"))
WRITERS = {"emission", "override", "release", "restore"}
"""The commands that write, each when it is told to; every other module of the command line reads."""
KAFKA = {"producer", "AIOKafkaProducer", "send", "send_and_wait", "commit", "create_topics", "delete_records"}
KUBERNETES = ("create_", "patch_", "replace_", "delete_")


def names(module: Path) -> set[str]:
    tree = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    return {str(getattr(node, field, None)) for node in tree for field in ("id", "attr", "name")}


def writing(module: Path) -> set[str]:
    return {one for one in names(module) - {"create_future"} if one in KAFKA or one.startswith(KUBERNETES)}


@pytest.mark.parametrize("module", REPLAY, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_no_module_of_replay_names_what_writes(module: Path) -> None:
    assert not writing(module)


def test_of_the_commands_only_those_that_are_told_to_write_name_what_writes() -> None:
    assert {module.stem for module in COMMANDS if writing(module)} <= WRITERS


def test_the_modules_are_found() -> None:
    assert {"cluster", "source", "tape", "story"} <= {path.stem for path in REPLAY}
    assert {"replay", "explain", "comparison", "wars", "record", "events"} <= {path.stem for path in COMMANDS}
