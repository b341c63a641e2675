"""A story told from a recording alone is the story that the log has; where it cannot be told, it says so."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from schemas.topics import EVENTS, WORKLOADS
from services.cli.main import app
from services.replay.chunks import Chunk, Gap, Item, Why
from services.replay.core.story import story
from services.replay.emitting import EMITTED
from services.replay.lines import Headed
from services.replay.recording import Header, Range, RecordedTopic, Tally
from services.replay.tape import Writer
from tests.golden.stories import RULES, first_night
from tests.support.logs import introduction, key

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


def test_bare_lines_are_none(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text('{"topic":"muster.events","partition":0,"offset":0,"time":0}\n')
    done = explain(tmp_path / "lines", 5)
    assert done.exit_code == 1
    assert "make a recording of it" in done.stderr
