"""kubectl finds us as its plugin: with the real kubectl, and the entry points as pyproject.toml declares them."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from services.local import crds, golang

ROOT = Path(__file__).parents[3]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

pytestmark = pytest.mark.skipif(golang.tool("kubectl") is None, reason="there is no kubectl here")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return a PATH with our programs on it, as pip would make them."""
    for name, entry in SCRIPTS.items():
        module, _, function = entry.partition(":")
        script = tmp_path / name
        script.write_text(f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n")
        script.chmod(0o755)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


def kubectl(path: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl."""
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run([crds.kubectl(), *words], capture_output=True, text=True, check=False, env=env)


def test_kubectl_lists_us_among_its_plugins(path: str) -> None:
    assert re.search(r"/kubectl-muster$", kubectl(path, "plugin", "list").stdout, re.MULTILINE)


@pytest.mark.parametrize("command", [("status",), ("replay",), ("topics", "check"), ("override",)])
def test_help_says_what_was_typed(path: str, command: tuple[str, ...]) -> None:
    """In its usage and in its examples; names of topics stay what they are."""
    done = kubectl(path, "muster", *command, "--help")
    assert done.returncode == 0
    assert f"Usage: kubectl muster {' '.join(command)}" in done.stdout
    assert not re.search(rf"(?<!kubectl )\bmuster {' '.join(command)}\b", done.stdout)


def test_the_help_of_muster_itself_stays_its_own(path: str) -> None:
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(["muster", "status", "--help"], capture_output=True, text=True, check=True, env=env)
    assert "Usage: muster status" in done.stdout
    assert "kubectl muster" not in done.stdout


def test_exit_codes_pass_through_kubectl(path: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "v1")
    assert kubectl(path, "muster", "schemas", "write", folder).returncode == 0
    assert kubectl(path, "muster", "schemas", "check", folder).returncode == 0
    (tmp_path / "v1" / "tick.json").write_text("{}")
    assert kubectl(path, "muster", "schemas", "check", folder).returncode == 1
    assert kubectl(path, "muster", "status", "-o", "xml").returncode == 2


@pytest.mark.parametrize(
    ("words", "fitting"),
    [
        (("sta",), ["status"]),
        (("topics", ""), ["apply", "check"]),
        (("status", "--name"), ["--namespace"]),
        (("re",), ["record", "removals", "replay", "restore"]),
    ],
)
def test_kubectl_completes_our_commands_and_options(path: str, words: tuple[str, ...], fitting: list[str]) -> None:
    """By `kubectl __complete`, which is what its shell completion calls."""
    lines = kubectl(path, "__complete", "muster", *words).stdout.split("\n")
    assert sorted(line for line in lines if line and not line.startswith(":")) == fitting
    assert ":4" in lines


def test_where_nothing_of_ours_fits_the_shell_completes_files(path: str) -> None:
    lines = kubectl(path, "__complete", "muster", "replay", "night.js").stdout.split("\n")
    assert lines[0] == ":0"
