"""Whoever gives up waiting for a broker that is away needs one signal, not two."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from services.local.ports import free
from tests.integration.processor.house import MUSTER


@pytest.mark.parametrize("words", [["replay"], ["replay", "--compare", "topic"], ["record", "night.jsonl.zst"]])
async def test_one_signal_ends_the_wait_for_a_broker_that_is_away(words: list[str], tmp_path: Path) -> None:
    argv = [*MUSTER, *words, f"--bootstrap-servers=127.0.0.1:{free()}"]
    child = await asyncio.create_subprocess_exec(
        sys.executable, *argv, stderr=asyncio.subprocess.PIPE, cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL
    )
    assert child.stderr is not None
    while b"waiting for Kafka" not in (line := await asyncio.wait_for(child.stderr.readline(), 30)):
        assert line
    child.send_signal(signal.SIGINT)
    _, told = await asyncio.wait_for(child.communicate(), 10)
    assert child.returncode == 130, told.decode()
    assert b"Traceback" not in told
    assert list(tmp_path.iterdir()) == []
