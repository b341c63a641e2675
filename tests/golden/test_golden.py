"""Every verdict that was ever recorded comes out the same, for ever."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app

RECORDINGS = sorted(Path(__file__).parent.glob("*.jsonl.zst"))


@pytest.mark.usefixtures("restored_logs")
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name.partition(".")[0])
def test_a_recording_is_replayed_to_what_was_expected_of_it(recording: Path) -> None:
    expected = recording.with_name(recording.name.replace(".jsonl.zst", ".expected.jsonl"))
    done = CliRunner().invoke(app, ["replay", str(recording), "-o", "json", "--expect", str(expected)])
    assert done.exit_code == 0, done.output
    *told, summary = done.stdout.splitlines()
    *verdicts, counts = expected.read_text(encoding="utf-8").splitlines()
    assert told == verdicts
    # A summary may learn to say more, but not something else.
    assert {**json.loads(summary), **json.loads(counts)} == json.loads(summary)


def test_there_are_recordings() -> None:
    assert RECORDINGS
