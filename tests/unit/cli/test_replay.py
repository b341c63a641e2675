"""`muster replay`, `events` and `record` over files: what they print, and what they say of bad input."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from schemas.topics import EVENTS
from services.cli.main import app
from services.replay.chunks import Chunk
from services.replay.recording import item_lines
from tests.golden.stories import first_night, recorded
from tests.support.logs import Log

pytestmark = pytest.mark.usefixtures("restored_logs")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "night.jsonl.zst"
    path.write_bytes(recorded(first_night()))
    return path


def muster(*words: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], input=stdin)


CUT = object()
CHANGED = object()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (CUT, "was cut off behind"),
        (CHANGED, "damaged"),
        (b"", "is empty"),
        (b"apiVersion: v1\n", "no recording"),
        (b'{"v":2,"type":"recording"}\n', "reads v1"),
    ],
)
def test_a_recording_that_is_not_whole_gives_no_summary_and_says_why(tape: Path, content: object, words: str) -> None:
    raw = tape.read_bytes()
    damaged = {CUT: raw[:-30], CHANGED: raw[:200] + bytes([raw[200] ^ 255]) + raw[201:]}.get(content, content)
    assert isinstance(damaged, bytes)
    tape.write_bytes(damaged)
    done = muster("replay", tape, "-o", "json")
    assert done.exit_code == 1
    assert words in done.stderr
    assert str(tape) in done.stderr
    assert '"summary"' not in done.stdout


def test_a_recording_that_is_not_there_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    done = muster("replay", tmp_path / "none")
    assert (done.exit_code, "No such file" in done.stderr) == (1, True)


def test_lines_of_events_cat_are_replayed_from_stdin_like_the_recording(tape: Path) -> None:
    lines = muster("events", "cat", tape, "-o", "json")
    assert lines.exit_code == 0
    piped = muster("replay", "-", "-o", "json", *rules(), stdin=lines.stdout_bytes)
    assert piped.exit_code == 0
    assert piped.stdout == muster("replay", tape, "-o", "json").stdout


def rules() -> list[str]:
    told = {"window_ms": 1000, "missed_windows": 3, "grace_windows": 5, "brake_least": 5, "forget_windows": 8}
    return [f"--set=rules.{name}={value}" for name, value in told.items()]


def test_only_what_is_asked_for_is_shown_but_everything_is_folded(tape: Path) -> None:

    def told(*words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in muster("replay", tape, "-o", "json", *words).stdout.splitlines()]

    whole = told()
    start, end = "2023-11-14T22:13:25Z", "2023-11-14T22:13:28Z"
    part = [
        json.loads(line)
        for line in muster("replay", tape, "-o", "json", "--from", start, "--to", end).stdout.splitlines()
    ]
    assert part[:-1] == [one for one in whole[:-1] if start[:-1] <= one["time"] < end[:-1]]
    assert part[-1]["certain"]
    who = whole[2]["key"]
    assert {one["key"] for one in told("-l", f"key={who}") if one["type"] == "transition"} == {who}


def test_what_was_asked_not_to_happen_fails(tape: Path) -> None:
    assert muster("replay", tape, "--fail-on", "uncertain").exit_code == 0
    done = muster("replay", tape, "--fail-on", "removal", "--fail-on", "brake")
    assert done.exit_code == 1
    assert "FAILED brake: 1" in done.stderr
    assert "FAILED removal: 10" in done.stderr


def test_other_rules_than_the_recordings_are_said_to_be_others(tape: Path) -> None:
    done = muster("replay", tape, "--set", "rules.missed_windows=4")
    assert "which are not those of the recording" in done.stderr


@pytest.mark.parametrize("output", ["table", "json", "raw"])
def test_records_that_cannot_be_taken_are_printed_as_such(tmp_path: Path, output: str) -> None:
    log = Log()
    log.append(None, None)
    log.append(b"\xff\x00", b"\xff\x1b[2J\n")
    log.append(b"a/b/c", b"[]")
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"".join(item_lines(Chunk(EVENTS, 0, log.records))))
    done = muster("events", "cat", path, "-o", output)
    assert done.exit_code == 0
    if output == "table":
        assert done.stdout.count("REJECTED") == 3
        assert "\x1b" not in done.stdout
    if output == "json":
        assert [json.loads(line)["rejected"]["reason"] for line in done.stdout.splitlines()] == ["Undecodable"] * 3


@pytest.mark.parametrize(
    "words",
    [
        ("events", "cat", "--from", "noon"),
        ("events", "cat", "-l", "colour~red"),
        ("events", "cat", "-t", "muster.rejected", "-l", "colour=red"),
        ("record", "night", "-l", "colour=red"),
        ("events", "cat", "-o", "xml"),
        ("replay", "-l", "type=tick"),
        ("replay", "--fail-on", "rain"),
        ("replay", "--compare", "yesterday"),
        ("replay", "--set", "rules.window_ms=0"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_read(words: tuple[str, ...]) -> None:
    assert muster(*words).exit_code == 2


def test_a_file_that_is_there_is_not_written_over(tape: Path) -> None:
    before = tape.read_bytes()
    done = muster("record", tape)
    assert (done.exit_code, "--resume goes on with it" in done.stderr) == (1, True)
    assert tape.read_bytes() == before
