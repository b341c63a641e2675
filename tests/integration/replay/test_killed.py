"""`muster record` is killed in the middle: what it has read stays, and what a replay advises can be done."""

import asyncio
import os
import re
import shlex
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from schemas.topics import EVENTS
from services.replay.frames import frames
from tests.integration.processor.house import MUSTER, House
from tests.support.eventually import eventually

BALLAST = 800
"""Bytes of a record, of no pattern: so that a recording takes long enough to be killed in the middle."""
RECORDS = 40_000


async def begun(house: House, *words: str) -> Process:
    argv = [sys.executable, *MUSTER, *words, f"--bootstrap-servers={house.settings.bootstrap_servers}"]
    return await asyncio.create_subprocess_exec(*argv, stdout=PIPE, stderr=PIPE)


async def done(house: House, *words: str) -> tuple[int, str]:
    child = await begun(house, *words)
    _, told = await asyncio.wait_for(child.communicate(), 120)
    return child.returncode or 0, told.decode()


async def killed(house: House, file: Path, least: int) -> None:
    """Record, and kill the recorder once the file has so many bytes."""
    child = await begun(house, "record", str(file))

    async def long_enough() -> bool:
        assert child.returncode is None, "it ended before it could be killed"
        return file.exists() and file.stat().st_size >= least

    await eventually(long_enough, f"{least} bytes of {file}", every_s=0.001)
    child.kill()
    await child.communicate()
    assert child.returncode == -9


async def followed(house: House, file: Path) -> str:
    """Do to the letter what `muster replay FILE` says of a file that is not whole; return what it said."""
    code, told = await done(house, "replay", str(file), "-o", "json")
    assert code == 1
    for command in re.findall(r"(?:truncate -s \d+|muster record --resume) FILE", told):
        program, *words = shlex.split(command.replace("FILE", str(file)))
        if program == "truncate":
            assert await (await asyncio.create_subprocess_exec(program, *words)).wait() == 0
        else:
            code, said = await done(house, *words)
            assert code == 0, said
    return told


def lines(file: Path) -> tuple[bytes, list[bytes]]:
    """Return the header, and the records; how partitions follow each other depends on how they were fetched."""
    header, *records, _ = b"".join(frame.lines for frame in frames([file.read_bytes()])).splitlines()
    return header, sorted(records)


async def test_a_recorder_that_is_killed_leaves_what_can_be_gone_on_with(house: House, tmp_path: Path) -> None:
    """At once, in the middle, and with a byte changed: in the end each is the recording that was not killed."""
    for number in range(RECORDS):
        await house.producer.send(EVENTS, os.urandom(BALLAST // 2).hex().encode(), key=b"%d" % number)
    await house.producer.flush()
    whole, early, late = tmp_path / "whole", tmp_path / "early", tmp_path / "late"
    code, said = await done(house, "record", str(whole))
    assert code == 0, said

    await killed(house, early, 1)
    assert "muster record --resume FILE" in await followed(house, early)
    assert lines(early) == lines(whole)

    await killed(house, late, 2_000_000)
    raw = bytearray(late.read_bytes())
    raw[-len(raw) // 4] ^= 0x40
    late.write_bytes(raw)
    assert re.search(r"truncate -s [1-9]\d* FILE, then muster record --resume FILE", await followed(house, late))
    assert lines(late) == lines(whole)

    early.write_bytes(early.read_bytes()[:20])
    assert "remove the file, and record it again" in await followed(house, early)
    early.unlink()
    assert (await done(house, "record", str(early)))[0] == 0
    assert lines(early) == lines(whole)
