"""Whatever is wrong with what is replayed: a clear error or a marked gap, and never a verdict that may be wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from schemas.topics import EVENTS
from services.cli.main import app
from services.processor.core.record import Record
from services.replay.chunks import Chunk, Gap, Item, Why
from services.replay.frames import frames, pack
from services.replay.recording import Header, Range, RecordedTopic, Tally
from services.replay.tape import Writer
from tests.golden.stories import first_night
from tests.support.logs import Log, key

pytestmark = pytest.mark.usefixtures("restored_logs")
NIGHT = Path(__file__).parents[2] / "golden" / "first-night.jsonl.zst"
BY_RULES = [
    f"--set=rules.{one}"
    for one in ("window_ms=1000", "missed_windows=3", "grace_windows=5", "brake_least=5", "forget_windows=8")
]


def replay(where: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["replay", str(where), "-o", "json", *BY_RULES, *words])


def transitions(done: Result) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "transition"]


def taped(folder: Path, items: list[Item], end: int) -> Path:
    topic = RecordedTopic(name=EVENTS, partitions=1, ranges=(Range(partition=0, start=0, end=end),))
    writer = Writer(Tally(Header(cluster="one", topics=(topic,))))
    written = b"".join(writer.take(item) for item in items) + writer.finish(complete=True)
    (folder / "tape").write_bytes(written)
    return folder / "tape"


def chunk(log: Log, start: int = 0, end: int | None = None) -> Chunk:
    return Chunk(EVENTS, 0, [Record(*one) for one in log.records[start:end]])


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.01])
def test_a_truncated_recording_is_an_error_and_its_verdicts_are_not_the_end(tmp_path: Path, kept: float) -> None:
    raw = NIGHT.read_bytes()
    (tmp_path / "cut").write_bytes(raw[: int(len(raw) * kept)])
    done = replay(tmp_path / "cut")
    assert done.exit_code == 1
    assert '"summary"' not in done.stdout
    assert "cut off" in done.stderr


def test_a_corrupted_recording_is_an_error_before_any_record_of_what_is_damaged(tmp_path: Path) -> None:
    raw = bytearray(NIGHT.read_bytes())
    raw[len(raw) // 2] ^= 0x10
    (tmp_path / "bad").write_bytes(bytes(raw))
    done = replay(tmp_path / "bad")
    assert done.exit_code == 1
    assert transitions(done) == []
    assert "Error: " in done.stderr


def test_where_retention_ate_the_start_every_verdict_is_marked_and_the_gap_is_told(tmp_path: Path) -> None:
    log = first_night()
    gap = Gap(EVENTS, 0, 0, 20, Why.RETENTION)
    done = replay(taped(tmp_path, [gap, chunk(log, 20)], len(log.records)), "--fail-on", "uncertain")
    assert done.exit_code == 1
    assert "offsets 0 to 19 were deleted by retention" in done.stderr
    assert json.loads(done.stdout.splitlines()[0])["type"] == "gap"
    assert {one["certain"] for one in transitions(done)} == {False}


def test_a_compacted_gap_leaves_what_was_before_certain_and_nothing_behind(tmp_path: Path) -> None:
    log = first_night()
    items: list[Item] = [chunk(log, 0, 60), Gap(EVENTS, 0, 60, 62, Why.COMPACTION), chunk(log, 62)]
    done = replay(taped(tmp_path, items, len(log.records)))
    assert done.exit_code == 0
    assert {one["offset"] < 60 for one in transitions(done) if one["certain"]} == {True}
    assert {one["offset"] < 60 for one in transitions(done) if not one["certain"]} == {False}
    assert "offsets 60 to 61 were deleted by compaction" in done.stderr


def test_records_of_another_schema_version_are_counted_and_said_to_be_what_a_newer_one_may_take(tmp_path: Path) -> None:
    """The state is what a processor of this version has; nobody is marked by a record that was not understood."""
    log = Log()
    log.connect(1)
    log.append(key(1), b'{"v":2,"type":"heartbeat"}')
    log.append(key(2), b'{"v":2,"type":"connect"}')
    log.tick()
    done = replay(taped(tmp_path, [chunk(log)], len(log.records)))
    assert done.exit_code == 0
    assert [one["key"] for one in transitions(done)] == [key(1).decode()]
    assert json.loads(done.stdout.splitlines()[-1])["rejected"] == {"UnknownVersion": 2}
    assert "2 records are of another schema version" in done.stderr


def test_lines_left_out_of_a_recording_are_missed(tmp_path: Path) -> None:
    """Somebody took records out, and compressed the rest again."""
    log = first_night()
    good = taped(tmp_path, [chunk(log)], len(log.records))
    lines = b"".join(frame.lines for frame in frames([good.read_bytes()])).splitlines(keepends=True)
    good.write_bytes(pack(b"".join(lines[:30] + lines[31:])))
    done = replay(good)
    assert done.exit_code == 1
    assert "records are missing" in done.stderr


def test_what_cannot_be_opened_or_is_something_else_is_said_to_be_so(tmp_path: Path) -> None:
    assert "No such file" in replay(tmp_path / "nothing").stderr
    (tmp_path / "picture").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = replay(tmp_path / "picture")
    assert done.exit_code == 1
    assert "no recording" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("replay", "NO"), 1, "Error: No such file or directory: NO"),
        (("explain", "x", "--recording", "NO"), 1, "Error: No such file or directory: NO"),
        (("replay", "NIGHT", "--snapshot", "TEXT"), 1, "no snapshot, as muster replay --save-snapshot writes it"),
        (("replay", "NIGHT", "--what-if", "bundle=TEXT"), 2, "TEXT: not JSON: a trust bundle is a folder"),
        (("replay", "NIGHT", "--what-if", "brake_release_share=0.9"), 2, "must not be above brake_share"),
        (("events", "cat", "PROGRAM"), 1, "PROGRAM: line 1 is not text: this is no recording"),
        (("replay", "PROGRAM"), 1, "PROGRAM: line 1 is not text: this is no recording"),
        (("replay", "FOLDER"), 1, "Error: Is a directory: FOLDER"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_nothing_else_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "NIGHT").write_bytes(NIGHT.read_bytes())
    (tmp_path / "TEXT").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:1:1::/:\n")
    (tmp_path / "PROGRAM").write_bytes(b"\x7fELF\x02\x01\xd0\x00\n\xff")
    (tmp_path / "FOLDER").mkdir()
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert told in " ".join(done.stderr.split())
    for ugly in ("Errno", "Value error", "Expecting value", ": :", "codec"):
        assert ugly not in done.stderr
