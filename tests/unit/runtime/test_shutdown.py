import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

DRAINS = """
import asyncio
from services.runtime.config import LogSettings
from services.runtime.log import configure
from services.runtime.shutdown import run
configure("test", LogSettings())
async def main(stopping):
    print("up", flush=True)
    await stopping.wait()
    print("drained", flush=True)
run(main)
"""
NEVER_DRAINS = DRAINS.replace(
    'print("drained", flush=True)', 'print("draining", flush=True); await asyncio.Event().wait()'
)
CRASHES = "from services.runtime.shutdown import run\nasync def main(stopping): raise RuntimeError('a bug')\nrun(main)"


@contextmanager
def _running(program: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield process, process.stdout
            process.wait(timeout=10)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_the_service_drain(number: signal.Signals) -> None:
    with _running(DRAINS) as (process, output):
        process.send_signal(number)
        assert output.readline() == "drained\n"
    assert process.returncode == 0


def test_the_second_signal_exits_at_once() -> None:
    with _running(NEVER_DRAINS) as (process, output):
        process.terminate()
        assert output.readline() == "draining\n"
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM


def test_what_the_service_raises_crashes_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", CRASHES], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "RuntimeError: a bug" in done.stderr
