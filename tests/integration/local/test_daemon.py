"""`muster local up` leaves a stack behind that `muster local down` ends, whole."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from services.local.child import StartError
from services.local.remote import Running
from tests.support.backend import BACKEND
from tests.support.eventually import eventually

pytestmark = pytest.mark.skipif(BACKEND != "local", reason="it is the local stack that is tested")
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


async def test_the_daemon_runs_the_stack_and_takes_everything_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    running = Running.start(folder)
    try:
        assert Running.find(folder) == running
        assert Running.start(folder) == running

        async def ready() -> bool:
            state = await running.state()
            assert "failed" not in (state["kafka"]["state"], state["kube"]["state"]), state
            return bool(state["kafka"]["state"] == state["kube"]["state"] == "ready")

        await eventually(ready, "Kafka and Kubernetes to be ready", within_s=1200)
        pid = await running.spawn("sleeper", SLEEPER)
        await running.kill("sleeper")
        assert (await running.state())["children"]["sleeper"]["status"] == 128 + 9
        pid = await running.spawn("sleeper", SLEEPER)
        everything = psutil.Process(running.pid).children(recursive=True)
        assert pid in {process.pid for process in everything}
    finally:
        running.end()
    assert Running.find(folder) is None
    _, alive = psutil.wait_procs(everything, timeout=20)
    assert alive == []


async def test_a_daemon_that_is_killed_takes_everything_with_it(tmp_path: Path) -> None:
    """Its children's guards see the pipe close, whatever the stack was doing; a new one can be started."""
    running = Running.start(tmp_path / "stack")
    await running.spawn("sleeper", SLEEPER)
    everything = psutil.Process(running.pid).children(recursive=True)
    os.kill(running.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(everything, timeout=40)
    assert alive == []
    assert Running.find(tmp_path / "stack") is None


async def test_a_program_that_cannot_be_started_is_told_to_the_one_who_asked(tmp_path: Path) -> None:
    running = Running.start(tmp_path / "stack")
    try:
        with pytest.raises(StartError, match="ghost could not be started"):
            await running.spawn("ghost", ["/no/such/program"])
        with pytest.raises(StartError, match="nobody"):
            await running.kill("nobody")
    finally:
        running.end()
    with pytest.raises(StartError, match="no longer answers"):
        await running.state()
