"""Replay changes nothing on a cluster: not by what it imports, and not by what it calls."""

import ast
from pathlib import Path

import pytest

from services import replay

MODULES = sorted(Path(replay.__file__).parent.glob("*.py"))
WRITING = {"producer", "AIOKafkaProducer", "send", "send_and_wait", "commit", "create_topics", "delete_records"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_no_module_of_replay_names_what_writes_to_kafka(module: Path) -> None:
    tree = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    names = {getattr(node, field, None) for node in tree for field in ("id", "attr", "name")}
    assert not names & WRITING


def test_the_modules_are_found() -> None:
    assert {"cluster", "source", "tape"} <= {path.stem for path in MODULES}
