"""Whatever is wrong with what is replayed: a clear error or a marked gap, and never a verdict that may be wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from schemas.names import CONTROL_KEY
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


NEWER = b'{"v":2,"type":"heartbeat"}'


def test_a_heartbeat_of_another_schema_version_takes_nothing_from_who_was_heard_anyway(tmp_path: Path) -> None:
    """Nobody is marked by a record that was not understood, and nothing follows from it: its workload was there."""
    log = Log()
    log.connect(1)
    log.append(key(1), NEWER)
    log.tick()
    done = replay(taped(tmp_path, [chunk(log)], len(log.records)), "--fail-on", "uncertain")
    assert done.exit_code == 0
    assert [(one["key"], one["certain"]) for one in transitions(done)] == [(key(1).decode(), True)]
    assert json.loads(done.stdout.splitlines()[-1])["rejected"] == {"UnknownVersion": 1}
    assert "1 records are of another schema version" in done.stderr


@pytest.mark.parametrize(
    ("who", "value"),
    [
        (key(1), NEWER),
        (key(2), b'{"v":2,"type":"connect"}'),
        (key(1), b'{"v":2,"type":"disconnect"}'),
        (CONTROL_KEY, NEWER),
        (CONTROL_KEY, b'{"v":2,"type":"tick","window":0}'),
        (b"odd", NEWER),
        (None, NEWER),
        (key(1), b'{"v":"1","type":[]}'),
    ],
)
def test_behind_what_only_a_newer_processor_can_read_nothing_is_certain(
    tmp_path: Path, who: bytes | None, value: bytes
) -> None:
    log = Log()
    log.connect(1)
    for _ in range(2):
        log.tick()
    unread = log.append(who, value)
    for _ in range(4):
        log.tick()
    done = replay(taped(tmp_path, [chunk(log)], len(log.records)), "--fail-on", "uncertain")
    assert done.exit_code == 1
    assert [(one["state"]["presence"], one["certain"]) for one in transitions(done)] == [
        ("connected", True),
        ("absent", False),
    ]
    assert f"at offset {unread} is of another schema version" in done.stderr
    assert "FAILED uncertain: 1" in done.stderr
    assert not json.loads(done.stdout.splitlines()[-1])["certain"]


def a_lasting_silence(apart_ms: int = 1000) -> Log:
    log = Log()
    log.connect(1)
    for _ in range(20):
        log.tick(apart_ms)
    return log


@pytest.mark.parametrize(
    ("window_ms", "fits"), [(1000, True), (1200, True), (2000, False), (10_000, False), (500, False)]
)
def test_ticks_that_are_not_a_window_apart_tell_of_other_rules(tmp_path: Path, window_ms: int, fits: bool) -> None:  # noqa: FBT001
    log = a_lasting_silence()
    done = replay(taped(tmp_path, [chunk(log)], len(log.records)), f"--set=rules.window_ms={window_ms}")
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["certain"] is fits
    assert ("are hardly the processor's" in done.stderr) is not fits
    assert ("1 s apart" in done.stderr) is not fits


def test_the_night_without_its_rules_is_not_called_certain(tmp_path: Path) -> None:
    """As `muster events cat first-night -o json > lines.jsonl; muster replay lines.jsonl` has it."""
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(CliRunner().invoke(app, ["events", "cat", str(NIGHT), "-o", "json"]).stdout_bytes)
    done = CliRunner().invoke(app, ["replay", str(lines), "--fail-on", "uncertain"])
    assert done.exit_code == 1
    assert "hardly the processor's. Give its --config, or --set rules.window_ms=" in done.stderr
    assert "what is missing may have been" in done.stderr
    table = CliRunner().invoke(app, ["replay", str(lines)]).stdout
    assert "connected?" in table


def test_a_recording_that_is_replayed_by_other_rules_is_not_called_certain() -> None:
    done = replay(NIGHT, "--set=rules.missed_windows=4")
    assert done.exit_code == 0
    assert {one["certain"] for one in transitions(done)} == {False}
    assert "by other rules than those by which the processor called the roll then" in done.stderr


def test_rules_that_were_changed_in_the_header_are_found_out(tmp_path: Path) -> None:
    head, rest = b"".join(frame.lines for frame in frames([NIGHT.read_bytes()])).split(b"\n", 1)
    changed = head.replace(b'"missed_windows":3', b'"missed_windows":4')
    assert changed != head
    (tmp_path / "tape").write_bytes(pack(changed + b"\n" + rest))
    done = CliRunner().invoke(app, ["replay", str(tmp_path / "tape")])
    assert done.exit_code == 1
    assert "its header was changed" in done.stderr
    assert done.stdout == ""


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
