"""Faults of the disk that the broker's log is on."""

import asyncio
import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.parts import ABSENT_S, broker_away, witnessed
from tests.chaos.trial import SkipError, Stage

ROOM = 32 * 1024
SPARE = 64 * 1024 * 1024
"""What a small disk has beside the data it is given; the indices of Kafka's segments are sparse, and take none."""
CHUNK = bytes(64 * 1024)


async def disk_full(arena: Arena, stage: Stage) -> None:
    """The broker can write no more of its log (a limit on its files, so nobody need be root), and ends."""
    if sys.platform != "linux":
        raise SkipError("needs prlimit, which is Linux's")
    broker = arena.kafka.child
    assert broker is not None
    largest = max(file.stat().st_size for file in (arena.kafka.folder / "data").glob("muster.events-*/*.log"))
    async with witnessed(arena, stage), broker_away(arena):
        _, hard = resource.prlimit(broker.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (largest + ROOM, hard))
        await broker.ended(60)
        await asyncio.sleep(ABSENT_S)
        await arena.kafka.start()


async def disk_full_enospc(arena: Arena, stage: Stage) -> None:
    """The broker's disk, a small one of its own, is full to the last byte (ENOSPC); later its data has room again."""
    async with small_disk(arena) as disk, witnessed(arena, stage), broker_away(arena):
        assert arena.kafka.child is not None
        filler = disk / "filler"
        await asyncio.to_thread(_fill, filler)
        await arena.kafka.child.ended(60)
        said = arena.kafka.child.log.read_text(errors="replace")
        await asyncio.sleep(ABSENT_S)
        filler.unlink()
        await asyncio.to_thread(_move_back, arena.kafka.folder / "data", disk)
        await arena.kafka.start()
    if os.strerror(errno.ENOSPC) not in said:
        raise AssertionError("the broker ended of something else: the fault did not happen")


@asynccontextmanager
async def small_disk(arena: Arena) -> AsyncIterator[Path]:
    """Restart the broker with its data on a small disk in memory; whatever happens, the disk is gone in the end."""
    data, disk = arena.kafka.folder / "data", arena.kafka.folder / "disk"
    _mount(disk)
    try:
        async with broker_away(arena):
            await arena.kafka.stop()
            _resize(disk, _used(data) + SPARE)
            await asyncio.to_thread(_copy, data, disk)
            await asyncio.to_thread(shutil.rmtree, data)
            data.symlink_to(disk)
            await arena.kafka.start()
        yield disk
    finally:
        if data.is_symlink():
            await arena.kafka.kill()
            await asyncio.to_thread(_move_back, data, disk)
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _mount(disk: Path) -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise SkipError("needs root on Linux, to mount a small disk")
    disk.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "muster-chaos", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SkipError(f"a small disk cannot be mounted here: {done.stderr.strip()}")


def _resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def _used(folder: Path) -> int:
    """Return how many bytes a folder takes of its disk, holes in its files not counted."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*"))


def _fill(filler: Path) -> None:
    """Write until there is no room for a single byte."""
    with filler.open("wb", buffering=0) as file:
        for chunk in (CHUNK, CHUNK[:1]):
            try:
                while True:
                    file.write(chunk)
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--archive", f"{source}/.", str(target)], check=True)


def _move_back(data: Path, disk: Path) -> None:
    """Give the data a folder of its own again, as the small disk has it."""
    data.unlink()
    data.mkdir()
    _copy(disk, data)
