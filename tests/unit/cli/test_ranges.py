"""A check that looked at nothing does not pass, and a time is of the recording and not of today."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from schemas.topics import EVENTS
from services.cli.main import app
from services.cli.ranges import separated
from services.replay.chunks import Chunk
from services.replay.recording import item_lines
from tests.golden.stories import first_night

pytestmark = pytest.mark.usefixtures("restored_logs")
SWITCH = str(Path(__file__).parents[2] / "golden" / "switch.jsonl.zst")
SPAN = "the log spans 2026-11-24T03:05:00.000Z to 2026-11-24T03:17:30.000Z"


def muster(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.mark.parametrize("start", ["03:10", "2m", "15m", "2026-11-24T03:15:40", "0:1264", "1264"])
def test_a_removal_in_the_range_fails_however_the_range_is_written(start: str) -> None:
    done = muster("replay", SWITCH, "--from", start, "--fail-on", "removal")
    assert (done.exit_code, "FAILED removal: 5" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--from", "99999"),
        ("--from", "03:18"),
        ("--from", "2027-01-01T02:00"),
        ("--to", "03:00"),
        ("-n", "bookinof"),
        ("-l", "workload=nobody"),
        ("-l", "version=v99"),
        ("-l", "partition=3"),
    ],
)
def test_a_check_that_looked_at_nothing_fails_and_says_where_there_is_something(words: tuple[str, str]) -> None:
    done = muster("replay", SWITCH, *words, "--fail-on", "removal")
    assert done.exit_code == 1
    assert f"nothing in the range or selection; {SPAN}" in done.stderr
    assert "FAILED nothing was looked at" in done.stderr
    shown = muster("replay", SWITCH, *words)
    assert (shown.exit_code, f"nothing in the range or selection; {SPAN}" in shown.stderr) == (0, True)


def test_what_was_expected_of_nothing_fails_too() -> None:
    expected = SWITCH.replace(".jsonl.zst", ".expected.jsonl")
    assert muster("replay", SWITCH, "--expect", expected).exit_code == 0
    assert muster("replay", SWITCH, "--expect", expected, "--from", "99999").exit_code == 1


def test_a_check_of_who_is_there_and_did_nothing_passes() -> None:
    done = muster("replay", SWITCH, "-n", "bookinfo", "--from", "03:17", "--fail-on", "removal", "--fail-on", "absence")
    assert (done.exit_code, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        ("replay", SWITCH, "-p", "7"),
        ("replay", SWITCH, "--from", "7:120"),
        ("events", "cat", SWITCH, "-p", "7"),
        ("replay", SWITCH, "--what-if", "window=5s", "-p", "7"),
    ],
)
def test_a_partition_that_is_not_there_is_wrong_usage(words: tuple[str, ...]) -> None:
    done = muster(*words)
    assert done.exit_code == 2
    assert "there is no partition 7: muster.events has only partition 0 here" in done.stderr


def test_what_could_be_a_time_or_an_offset_is_wrong_usage() -> None:
    done = muster("replay", SWITCH, "--from", "3:10", "--fail-on", "removal")
    assert (done.exit_code, "could be a time or an offset" in done.stderr) == (2, True)


def test_events_of_nobody_are_said_to_be_none() -> None:
    done = muster("events", "cat", SWITCH, "-n", "bookinof")
    assert (done.exit_code, done.stdout) == (0, "")
    assert f"nothing in the range or selection; {SPAN}" in done.stderr


def test_a_time_without_a_day_is_of_a_recording_whose_end_was_lost_too(tmp_path: Path) -> None:
    """Bare lines have no trailer that says when they end."""
    lines = tmp_path / "lines"
    lines.write_bytes(b"".join(item_lines(Chunk(EVENTS, 0, first_night().records))))
    everything = [
        json.loads(line)["time"] for line in muster("events", "cat", str(lines), "-o", "json").stdout.splitlines()
    ]
    shown = muster("events", "cat", str(lines), "-o", "json", "--from", everything[-3][11:])
    assert [json.loads(line)["time"] for line in shown.stdout.splitlines()] == [
        at for at in everything if at >= everything[-3]
    ]


@pytest.mark.parametrize("start", ["15m", "03:12"])
def test_nobody_knows_the_end_of_stdin_before_it_was_read(start: str) -> None:
    done = muster("replay", "-", "--from", start, stdin=b"")
    assert (done.exit_code, "write the day too" in done.stderr) == (2, True)


def test_what_befell_a_partition_is_shown_to_those_whom_it_befell_and_in_the_columns() -> None:
    assert muster("replay", SWITCH, "-n", "nope").stdout == ""
    rows = [line for line in muster("replay", SWITCH, "-n", "bookinfo").stdout.splitlines() if "VoidWindow" in line]
    assert len(rows) == 1  # the other one was before anybody came
    assert rows[0].split()[:7] == ["2026-11-24T03:12:14.800Z", "0:956", "-", "-", "-", "-", "VoidWindow:"]


def refused(*words: str) -> str:
    """Return why a command line is refused: with exit code 2, before anything is read or written."""
    done = CliRunner().invoke(app, [*words], env={"COLUMNS": "1000"})
    assert done.exit_code == 2
    return done.stderr


@pytest.mark.parametrize("part", ["version=v5", "version in (v5,v6)", "!version", "label:group=a", "namespce=a", "=a"])
def test_a_recording_that_is_chosen_by_labels_is_refused_with_how_to_choose_later(tmp_path: Path, part: str) -> None:
    file = tmp_path / "night.zst"
    told = refused("record", str(file), "-l", f"type=connect,{part}")
    assert f"-l {part}: " in told
    assert "muster replay FILE -l" in told
    assert not file.exists()


@pytest.mark.parametrize("part", ["type in (connect,heartbeat)", "!session", "group notin (a)", "key"])
@pytest.mark.parametrize("command", [("events", "cat"), ("events", "tail"), ("replay",)])
def test_what_is_asked_of_a_field_as_of_a_label_is_refused_with_how_to_ask(command: tuple[str, ...], part: str) -> None:
    told = refused(*command, "-l", part)
    assert f"-l {part}: " in told
    assert f"label:{part}" in told


def test_a_label_that_is_named_like_a_field_is_chosen_by_its_prefix() -> None:
    named, labels = separated(["label:type in (connect,heartbeat),type=connect,label:!session"])
    assert named == ["type=connect"]
    assert [one.name for one in labels.requirements] == ["type", "session"]
