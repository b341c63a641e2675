"""``muster sim``, as a person runs it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import sim
from services.cli.main import app
from tests.sim.broken_sinks import Patch, snapshot_refreshed


def test_seeds_are_counted_with_what_befell_them_and_what_was_decided() -> None:
    done = CliRunner().invoke(app, ["sim", "--seeds", "4", "--jobs", "2", "-o", "json"])
    figures = json.loads(done.stdout)
    assert (done.exit_code, figures["seeds"], figures["failedSeeds"]) == (0, 4, {})
    assert figures["faultsInjected"] == sum(figures["faults"].values()) > 0
    assert figures["transitions"] == sum(figures["verdicts"].values()) > 0


def test_a_seed_that_fails_is_told_with_the_faults_it_needs_and_ends_in_1(monkeypatch: Patch) -> None:
    snapshot_refreshed(monkeypatch)
    done = CliRunner().invoke(app, ["sim", "--seeds", "20", "--jobs", "1", "-o", "json"])
    seed, words = next(iter(json.loads(done.stdout)["failedSeeds"].items()))
    assert done.exit_code == 1
    assert words.startswith("snapshot changed")
    told = done.stderr.partition(f"seed {seed}: ")[2].partition("again:")[0]
    assert [line.split()[2] for line in told.splitlines() if " of " in line and " for " in line] == ["user.edit"]
    assert f"again: muster sim --seed {seed}\n" in done.stderr
    assert "the sink: workloadautoregistrations MODIFIED" in told
    assert "muster.events[" in told


def test_without_a_checkout_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim, "_ROOT", tmp_path)
    done = CliRunner().invoke(app, ["sim"])
    assert done.exit_code == 2
    assert "from a checkout" in done.stderr
