"""What is built once is named by what it is built from."""

import shutil
import sys
from pathlib import Path

import pytest

from services.local import golang
from services.local.child import StartError


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a copy of the Go module, and a cache of its own."""
    copy = tmp_path / "deploy"
    shutil.copytree(golang.DEPLOY / "kube", copy / "kube")
    monkeypatch.setattr(golang, "DEPLOY", copy)
    monkeypatch.setenv("MUSTER_CACHE_DIR", str(tmp_path / "cache"))
    return copy


def test_the_binary_is_another_when_its_source_is(deploy: Path) -> None:
    before = golang.kube_binary()
    assert golang.kube_binary() == before
    with (deploy / "kube" / "main.go").open("a") as source:
        source.write("// a comment\n")
    assert golang.kube_binary() != before


async def test_a_binary_in_the_cache_is_not_built_again(deploy: Path) -> None:
    binary = golang.kube_binary()
    binary.parent.mkdir(parents=True)
    binary.touch()
    (deploy / "kube" / "go.mod").chmod(0o600)
    told: list[str] = []
    assert await golang.build_kube(lambda what, _done, _total: told.append(what)) == binary
    assert told == []


def test_where_no_go_is_new_enough_the_error_says_which_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go version go1.12 linux/amd64\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "nothing"))
    with pytest.raises(StartError, match=r"no Go 1\.26 or newer"):
        golang.go()


def test_pypis_go_is_used_where_the_path_has_an_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert golang.go().startswith(sys.prefix)
