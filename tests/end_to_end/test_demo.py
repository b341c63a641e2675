"""The tour, as a person takes it: it checks its own promises, and its output is what kubectl prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from services.local.golang import build_kube
from services.local.remote import Running
from tests.support.backend import BACKEND

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(BACKEND != "local", reason="the tour runs on the local stack"),
]


def _quietly(_what: str, _done: int, _total: int) -> None:
    """The build is told of by the fixtures that came before."""


async def test_the_tour_shows_what_it_promises_and_leaves_nothing_behind(tmp_path: Path) -> None:
    await build_kube(_quietly)
    folder = tmp_path / "stack"
    env = {**os.environ, "MUSTER_LOCAL_DIR": str(folder), "DEMO_EXIT": "1", "COLUMNS": "160", "NO_COLOR": "1"}
    muster = Path(sys.prefix) / "bin" / "muster"
    done = subprocess.run([str(muster), "demo"], env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b[" not in done.stdout, "NO_COLOR is respected"
    shown = done.stdout.split("$ kubectl get war -A")[1].splitlines()[1:14]
    head, *rows = [re.split(r" {2,}", line.strip()) for line in shown]
    assert head == ["NAMESPACE", "NAME", "AGENT CONNECTED", "AGE"]
    assert [row[2] for row in rows] == ["True"] * 12
    assert {row[0] for row in rows} == {"bookinfo", "payments"}
    described = done.stdout.split("$ kubectl describe war")[1]
    for line in ("Account:  123456789012", "Instance Id:  i-1234567890abcdef0", "Connected Over:  VPC"):
        assert line in described
    assert Running.find(folder) is None
