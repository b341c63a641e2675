"""The API's build, with a Go that is quick to compile: it is cached, shared, told of, and ends when it is cancelled."""

import asyncio
from pathlib import Path

import psutil
import pytest

from services.local import golang
from services.local.child import StartError
from tests.support.eventually import eventually

GO = """#!/bin/sh
echo "$@" >> "$GO_ASKED"
case "$1" in
version) echo go version go1.26.0 linux/amd64 ;;
mod) test -z "$GO_SLEEPS" || { echo $$ > "$GO_SLEEPS"; sleep 600; } ;;
list) printf 'one\\ntwo\\nthree\\n' ;;
build)
  printf 'one\\ntwo\\n' >&2
  test -z "$GO_FAILS" || { echo "undefined: everything" >&2; exit 1; }
  while test "$1" != -o; do shift; done
  sleep 0.2; echo binary > "$2" ;;
esac
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put that Go on the PATH, with an empty cache; return where it notes what is asked of it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    go = folder / "go"
    go.write_text(GO)
    go.chmod(0o755)
    notes = tmp_path / "asked"
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("GO_ASKED", str(notes))
    monkeypatch.setenv("MUSTER_CACHE_DIR", str(tmp_path / "cache"))
    return notes


async def test_two_builds_at_the_same_time_make_one_binary(asked: Path) -> None:
    told: list[tuple[str, int, int]] = []
    both = await asyncio.gather(*(golang.build_kube(lambda *step: told.append(step)) for _ in range(2)))
    assert [path.read_text() for path in both] == ["binary\n"] * 2
    assert sum(line.startswith("build") for line in asked.read_text().splitlines()) == 1
    assert ("compiling Kubernetes", 2, 3) in told


async def test_a_build_that_fails_says_what_go_said_and_leaves_no_binary(
    asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GO_FAILS", "yes")
    with pytest.raises(StartError, match="undefined: everything"):
        await golang.build_kube(lambda *_step: None)
    assert asked.exists()
    assert not golang.kube_binary().exists()


async def test_a_cancelled_build_leaves_nothing_running(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps = tmp_path / "sleeps"
    monkeypatch.setenv("GO_SLEEPS", str(sleeps))
    building = asyncio.create_task(golang.build_kube(lambda *_step: None))

    async def asleep() -> bool:
        return sleeps.exists() and sleeps.read_text().endswith("\n")

    await eventually(asleep, "the build to be in the middle of something")
    started = psutil.Process(int(sleeps.read_text()))
    family = [started, *started.children(recursive=True)]
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    assert asked.exists()
