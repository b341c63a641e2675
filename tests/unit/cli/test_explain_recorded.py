"""A story told from a recording alone is the story that the log has; where it cannot be told, it says so."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from schemas.topics import ACTIONS, EVENTS, WORKLOADS
from services.cli.main import app
from services.processor.core.record import Record
from services.replay.chunks import Chunk, Gap, Item, Why
from services.replay.core.story import story
from services.replay.emitting import EMITTED
from services.replay.lines import Headed
from services.replay.recording import Header, Range, RecordedTopic, Tally
from services.replay.tape import Writer
from tests.golden.stories import RULES, first_night
from tests.support.logs import START_MS, introduction, key
from tests.unit.schemas.messages import WRITTEN

pytestmark = pytest.mark.usefixtures("restored_logs")
GOLDEN = Path(__file__).parents[2] / "golden"


def explain(file: Path, who: int, *words: str) -> Result:
    name = introduction(who).key.war_name
    return CliRunner().invoke(app, ["explain", name, "--recording", str(file), *words])


def test_it_is_told_as_from_the_log_by_the_recordings_own_rules() -> None:
    done = explain(GOLDEN / "first-night.jsonl.zst", 5, "-o", "json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    tale = story(first_night().records, key(5), RULES)
    assert [part["offset"] for part in told["story"] if part["kind"] == "change"] == [c.at.offset for c in tale.changes]
    assert told["presence"] == "removed"
    assert told["log"]["whole"]


def test_who_was_refused_is_told_why_in_the_processors_words() -> None:
    """The credentials are gone from this recording; what they proved is not."""
    done = explain(GOLDEN / "proofs-redacted.jsonl.zst", 3)
    assert done.exit_code == 0, done.output
    assert "rejected by DuplicateIdentity: session 00000000-0000-0000-0000-0000000a0004 lives under this" in done.stdout
    assert "session 2 begins (agent v1.0.0) and takes over from session 1" in done.stdout
    done = explain(GOLDEN / "proofs.jsonl.zst", 2)
    assert "rejected by ForgedLink: event 40 does not show the link" in done.stdout


def test_what_a_replay_emitted_is_in_the_story_of_a_recording_too(tmp_path: Path) -> None:
    log = first_night()
    ranges = (Range(partition=0, start=0, end=len(log.records)),)
    topics = (
        RecordedTopic(name=EVENTS, partitions=1, ranges=ranges),
        RecordedTopic(name=WORKLOADS, partitions=1, ranges=(Range(partition=0, start=0, end=1),)),
    )
    told = {"revision": b"7", "source": b"night", "range": b"all", "who": b"ann", "why": b"it was lost"}
    headers = tuple((f"{EMITTED}{name}", value) for name, value in told.items())
    emitted = Headed(0, log.records[-1].timestamp, key(5), None, headers)
    writer = Writer(Tally(Header(cluster="one", topics=topics)))
    items: list[Item] = [Chunk(EVENTS, 0, log.records), Chunk(WORKLOADS, 0, [emitted])]
    (tmp_path / "tape").write_bytes(b"".join(writer.take(item) for item in items) + writer.finish(complete=True))
    done = explain(tmp_path / "tape", 5)
    assert "the outcome at revision 7 again, by a replay of night (all), by ann: it was lost" in done.stdout


def test_a_story_is_not_told_across_missing_records(tmp_path: Path) -> None:
    log = first_night()
    topic = RecordedTopic(name=EVENTS, partitions=1, ranges=(Range(partition=0, start=0, end=len(log.records)),))
    writer = Writer(Tally(Header(cluster="one", topics=(topic,))))
    items: list[Item] = [
        Chunk(EVENTS, 0, log.records[:60]),
        Gap(EVENTS, 0, 60, 62, Why.UNKNOWN),
        Chunk(EVENTS, 0, log.records[62:]),
    ]
    (tmp_path / "tape").write_bytes(b"".join(writer.take(item) for item in items) + writer.finish(complete=True))
    done = explain(tmp_path / "tape", 5)
    assert done.exit_code == 1
    assert "offsets 60 to 61 are missing: the story cannot be told across" in done.stderr
    assert explain(tmp_path / "tape", 5, "--at", "2023-11-14T22:13:21Z").exit_code == 0


def recorded(file: Path, actions: Sequence[Record], start: int = 0) -> Path:
    """Make a recording of the night with what the sink wrote in it."""
    log = first_night()
    ranges = {EVENTS: (0, len(log.records)), ACTIONS: (0, start + len(actions))}
    topics = tuple(
        RecordedTopic(name=name, partitions=1, ranges=(Range(partition=0, start=first, end=end),))
        for name, (first, end) in ranges.items()
    )
    writer = Writer(Tally(Header(cluster="one", topics=topics)))
    items: list[Item] = [Chunk(EVENTS, 0, log.records)]
    if start:
        items.append(Gap(ACTIONS, 0, 0, start, Why.RETENTION))
    items.append(Chunk(ACTIONS, 0, actions))
    file.write_bytes(b"".join(writer.take(item) for item in items) + writer.finish(complete=True))
    return file


def written(offset: int, at_ms: int, who: int, version: str) -> Record:
    said = WRITTEN.model_copy(update={"name": introduction(who).key.war_name, "resource_version": version})
    return Record(offset, START_MS + at_ms, key(who), said.to_json())


def test_what_the_sink_wrote_is_told_from_the_recording_once_each_and_of_nobody_else(tmp_path: Path) -> None:
    """A batch that Kafka was slow to acknowledge is written twice."""
    actions = [written(0, 100, 5, "17"), written(1, 100, 6, "18"), written(2, 150, 5, "17"), written(3, 200, 5, "19")]
    done = explain(recorded(tmp_path / "tape", actions), 5, "-o", "json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["untold"] is None
    versions = [part["written"]["resourceVersion"] for part in told["story"] if part["kind"] == "written"]
    assert versions == ["17", "19"]
    assert [part["offset"] for part in told["story"] if part["kind"] == "written"] == [0, 3]


@pytest.mark.parametrize(
    ("actions", "start", "words"),
    [
        ([written(8, 500, 5, "17")], 8, "muster.actions[0] begins at offset 8, 2023-11-14T22:13:20.500Z: what the"),
        ([], 0, "muster.actions[0] is empty: what the sink wrote to Kubernetes is not told."),
    ],
)
def test_where_retention_took_what_the_sink_wrote_one_line_says_so(
    tmp_path: Path, actions: list[Record], start: int, words: str
) -> None:
    done = explain(recorded(tmp_path / "tape", actions, start), 5)
    assert done.exit_code == 0, done.output
    assert words in done.stdout


def test_a_recording_without_the_sinks_writes_says_so_in_one_line() -> None:
    done = explain(GOLDEN / "first-night.jsonl.zst", 5)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("There is no muster.actions here: what the sink wrote to Kubernetes is not told.") == 1


def test_the_sinks_writes_print_like_other_records(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape", [written(0, 100, 5, "17"), Record(1, START_MS, key(5), b"{")])
    done = CliRunner().invoke(app, ["events", "cat", str(tape), "-t", ACTIONS])
    [_, first, second] = done.stdout.splitlines()
    assert first.split()[1:5] == ["0:0", "written", "bookinfo", introduction(5).key.war_name]
    assert "AgentConnected False (AgentMissedWindows), resourceVersion 17, of the state at 3:41" in first
    assert second.split()[2] == "REJECTED"


def test_bare_lines_are_none(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text('{"topic":"muster.events","partition":0,"offset":0,"time":0}\n')
    done = explain(tmp_path / "lines", 5)
    assert done.exit_code == 1
    assert "make a recording of it" in done.stderr


@pytest.mark.parametrize(("at", "until"), [("22:13", "22:13:49.000"), ("2023-11-14T22:13:40", "22:13:40.999")])
def test_a_time_is_of_the_recordings_day_and_not_later_than_it_ends(at: str, until: str) -> None:
    done = explain(GOLDEN / "first-night.jsonl.zst", 5, "--at", at)
    assert done.exit_code == 0, done.output
    assert f"At 2023-11-14T{until}Z it was " in done.stdout


@pytest.mark.parametrize("at", ["22:14", "2027-01-01T02:00"])
def test_of_a_time_that_nobody_recorded_nothing_is_told(at: str) -> None:
    done = explain(GOLDEN / "first-night.jsonl.zst", 5, "--at", at)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "of which the log does not tell yet: it ends at 2023-11-14T22:13:49.000Z" in done.stderr


def test_without_a_time_it_is_said_of_when_it_tells() -> None:
    assert "When the recording ends it is removed since" in explain(GOLDEN / "first-night.jsonl.zst", 5).stdout


def test_a_recording_on_stdin_is_told_as_from_its_file() -> None:
    file = GOLDEN / "first-night.jsonl.zst"
    name = introduction(5).key.war_name
    piped = CliRunner().invoke(app, ["explain", name, "--recording", "-"], input=file.read_bytes())
    assert piped.exit_code == 0, piped.output
    assert piped.stdout == explain(file, 5).stdout


def test_only_marks_that_are_drawn_are_explained() -> None:
    legend = explain(GOLDEN / "first-night.jsonl.zst", 5).stdout.splitlines()[-1]
    assert legend.startswith("▇ heard")
    story = explain(GOLDEN / "first-night.jsonl.zst", 5).stdout
    assert all(part[0] in story.removesuffix(f"{legend}\n") for part in legend.split("   "))
