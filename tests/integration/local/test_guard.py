"""Nothing that was started outlives the one who started it, however that one ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from services.local.child import Child, StartError
from tests.support.eventually import eventually

PARENT = """
import sys, time
from pathlib import Path
from services.local.child import Child
argv = [sys.executable, "-c", "import time; time.sleep(600)"]
child = Child("sleeper", argv, Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""


async def gone(pid: int) -> None:
    async def look() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    await eventually(look, f"process {pid} to be gone")


async def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves the parent no chance to say anything; the closed pipe says it."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        os.kill(parent.pid, signal.SIGKILL)
    await gone(pid)


async def test_a_child_that_ignores_a_polite_end_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard's grace is shortened here by running it from a copy that has less of it."""
    from services.local import guard

    hasty = tmp_path / "guard.py"
    hasty.write_text(Path(guard.__file__).read_text().replace("GRACE_S = 15.0", "GRACE_S = 0.2"))
    monkeypatch.setattr(guard, "__file__", str(hasty))
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    child = Child("stubborn", [sys.executable, "-c", stubborn], tmp_path / "log")
    child.start()

    async def up() -> bool:
        return "up" in child.log.read_text()

    await eventually(up, "the child to ignore SIGTERM")
    assert await child.stop() == 128 + signal.SIGKILL
    await gone(child.pid)


async def test_a_child_that_dies_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child("failing", [sys.executable, "-c", "raise SystemExit('no such port')"], tmp_path / "log")
    child.start()

    async def never() -> bool:
        return False

    with pytest.raises(StartError, match="no such port"):
        await child.ready(never, 20)


def test_a_program_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    child = Child("missing", ["/no/such/program"], tmp_path / "log")
    with pytest.raises(StartError, match="missing could not be started"):
        child.start()


async def test_a_child_can_be_started_again(tmp_path: Path) -> None:
    child = Child("again", [sys.executable, "-c", "print('once more')"], tmp_path / "log")
    for _ in range(2):
        child.start()
        assert await child.ended(20) == 0
    assert child.log.read_text().count("once more") == 2
