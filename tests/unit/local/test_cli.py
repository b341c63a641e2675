"""`muster local` on a folder where nothing runs."""

from pathlib import Path

from typer.testing import CliRunner

from services.local.cli import app, described
from services.local.remote import forget


def test_a_folder_where_no_stack_has_been_is_not_emptied(tmp_path: Path) -> None:
    """`--folder ~ --fresh` is a slip of the hand, not a wish."""
    (tmp_path / "logs").mkdir()
    forget(tmp_path)
    assert (tmp_path / "logs").exists()


def test_beginning_anew_removes_what_the_stack_kept_and_nothing_else(tmp_path: Path) -> None:
    for name in ("kafka", "kube", "logs", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "daemon.log").touch()
    forget(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["daemon.log", "mine"]


def test_the_state_of_a_stack_that_is_down_is_an_error_that_says_how_to_start_it(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["status", "--folder", str(tmp_path)])
    assert told.exit_code == 1
    assert "muster local up" in told.output


def test_ending_a_stack_that_is_down_is_no_error(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["down", "--folder", str(tmp_path)])
    assert told.exit_code == 0
    assert "No local stack was up" in told.output


def test_an_unknown_log_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["logs", "zookeeper", "--folder", str(tmp_path)])
    assert told.exit_code == 1
    assert "kafka, kube" in " ".join(told.output.split())


def test_a_part_is_described_by_what_it_does_now() -> None:
    assert described("kube", {"state": "building", "what": "compiling"}) == "Kubernetes API: compiling"
    assert described("kafka", {"state": "ready", "what": ""}) == "Kafka: ready"
