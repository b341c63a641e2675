"""Ctrl-C ends what reads long or waits for ever, after what was there; a reader that leaves ends it quietly."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from schemas.topics import EVENTS
from services.cli.explain import Question, _explained
from services.cli.naming import Asked
from services.identity.core.bundle import TrustBundle
from services.processor.core.record import Appended
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust
from services.replay.chunks import Chunk
from services.replay.moments import Reach
from services.replay.recording import item_lines
from services.replay.source import StoppedError
from tests.golden.stories import first_night, recorded
from tests.support.logs import Log, introduction, key
from tests.support.proofs import trust

GOLDEN = Path(__file__).parents[2] / "golden"
PIPE = asyncio.subprocess.PIPE
MANY = 10_000


async def muster(*words: str, stdout: int = PIPE) -> asyncio.subprocess.Process:
    program = ("-c", "from services.cli.main import main; main()", *words)
    return await asyncio.create_subprocess_exec(sys.executable, *program, stdin=PIPE, stdout=stdout, stderr=PIPE)


async def ended(child: asyncio.subprocess.Process) -> tuple[int | None, list[bytes], str]:
    """Wait for the end, with stdin held open."""
    assert child.stdout is not None
    assert child.stderr is not None
    out, err = await asyncio.wait_for(asyncio.gather(child.stdout.read(), child.stderr.read()), 90)
    await asyncio.wait_for(child.wait(), 90)
    return child.returncode, out.splitlines(), err.decode()


def long() -> Log:
    log = Log()
    log.connect(1)
    for seq in range(1, MANY):
        log.heartbeat(1, seq=seq)
    return log


@pytest.mark.parametrize("words", [["events", "cat", "-o", "json"], ["events", "cat"]])
async def test_one_signal_ends_what_prints_a_long_recording(tmp_path: Path, words: list[str]) -> None:
    """The pipe is full when the signal comes: what is not read yet was not printed yet."""
    (tmp_path / "long").write_bytes(recorded(long()))
    child = await muster(*words, str(tmp_path / "long"))
    assert child.stdout is not None
    assert await asyncio.wait_for(child.stdout.readline(), 90)
    child.send_signal(signal.SIGINT)
    code, lines, told = await ended(child)
    assert code == 130, told
    assert len(lines) < MANY / 2
    assert "interrupted: what was printed is of a part" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("words", [["replay", "-"], ["replay", "-", "--what-if", "missed_windows=5"]])
async def test_a_replay_of_stdin_that_is_held_open_ends_with_what_it_has(words: list[str]) -> None:
    child = await muster(*words, "-o", "json")
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"".join(item_lines(Chunk(EVENTS, 0, long().records))))
    await asyncio.wait_for(child.stdin.drain(), 90)  # more than a pipe holds: it reads
    first = [await asyncio.wait_for(child.stdout.readline(), 90)] if "--what-if" not in words else []
    child.send_signal(signal.SIGINT)
    code, lines, told = await ended(child)
    assert code == 130, told
    assert [json.loads(line)["type"] for line in first] in ([], ["transition"])
    summary = json.loads(lines[-1])
    assert (summary["interrupted"], summary["complete"], summary["certain"]) == (True, False, False)
    assert "interrupted: what follows is of a part" in told
    assert "Traceback" not in told
    assert "Fatal" not in told


async def test_explain_gives_up_waiting_for_the_rest_of_stdin() -> None:
    child = await muster("explain", "anybody", "--recording", "-")
    assert child.stdin is not None
    child.stdin.write(b"x" * 1_000_000)
    await asyncio.wait_for(child.stdin.drain(), 90)
    child.send_signal(signal.SIGINT)
    code, lines, told = await ended(child)
    assert (code, lines) == (130, []), told
    assert "Traceback" not in told


class Stopped:
    """A shelf on whose log somebody gives up in the middle."""

    notes: Sequence[str] = ()

    def __init__(self, log: Log, stopping: asyncio.Event, readings: int) -> None:
        self._log = log
        self._stopping = stopping
        self._left = readings

    async def topics(self) -> Sequence[str]:
        return (EVENTS,)

    async def partitions(self) -> int:
        return 1

    def reach(self) -> Reach:
        raise NotImplementedError

    def rules(self) -> Rules:
        return Rules(window_ms=1000, missed_windows=3, grace_windows=5, brake_least=5, forget_windows=8)

    def trust(self, bundles: Sequence[TrustBundle]) -> Trust:
        del bundles
        return trust()

    async def records(self, topic: str, partition: int | None = None) -> AsyncGenerator[Sequence[Appended], None]:
        del topic, partition
        self._left -= 1
        for start in range(0, len(self._log.records), 90):
            if not self._left:
                self._stopping.set()
            yield self._log.records[start : start + 30]


async def test_a_story_that_is_interrupted_is_told_as_far_as_it_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    stopping, log = asyncio.Event(), first_night()
    question = Question(Asked(introduction(5).key.war_name, None), None)
    assert await _explained(Stopped(log, stopping, 2), question, stopping, as_json=True) == 130
    told = json.loads(capsys.readouterr().out)
    assert (told["key"], told["complete"]) == (key(5).decode(), False)
    assert told["log"]["reached"]["offset"] == 29
    assert told["at"] == told["log"]["reached"]["time"]
    stopping.clear()
    assert await _explained(Stopped(log, stopping, 2), question, stopping, as_json=False) == 130
    assert "Interrupted: what came later was not read." in capsys.readouterr().out


async def test_where_nothing_is_known_yet_no_story_is_told() -> None:
    stopping = asyncio.Event()
    with pytest.raises(StoppedError):
        await _explained(
            Stopped(first_night(), stopping, 1), Question(Asked("anybody", None), None), stopping, as_json=True
        )


WHO = introduction(5).key.war_name


@pytest.mark.parametrize(
    "words",
    [
        ["explain", WHO, "--recording", str(GOLDEN / "first-night.jsonl.zst")],
        ["explain", WHO, "--recording", str(GOLDEN / "first-night.jsonl.zst"), "-o", "json"],
        ["events", "cat", str(GOLDEN / "first-night.jsonl.zst")],
        ["replay", str(GOLDEN / "first-night.jsonl.zst")],
    ],
)
async def test_whoever_stops_reading_ends_it_with_141_and_no_words(words: list[str]) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    child = await muster(*words, stdout=writes)
    os.close(writes)
    _, told = await asyncio.wait_for(child.communicate(), 90)
    assert child.returncode == 141, told
    assert b"Broken" not in told
    assert b"Traceback" not in told
