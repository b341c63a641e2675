"""`muster local up` leaves a stack behind that `muster local down` ends, whole."""

import sys
from pathlib import Path

import psutil
import pytest

from services.local.remote import Running
from tests.support.backend import BACKEND
from tests.support.eventually import eventually


@pytest.mark.skipif(BACKEND != "local", reason="it is the local stack that is tested")
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
        pid = await running.spawn("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
        await running.kill("sleeper")
        assert (await running.state())["children"]["sleeper"]["status"] == 128 + 9
        pid = await running.spawn("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
        everything = psutil.Process(running.pid).children(recursive=True)
        assert pid in {process.pid for process in everything}
    finally:
        running.end()
    assert Running.find(folder) is None
    _, alive = psutil.wait_procs(everything, timeout=20)
    assert alive == []
