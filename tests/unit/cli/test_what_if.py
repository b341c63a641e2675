"""What would have been otherwise, under other settings."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from typer.testing import CliRunner, Result

from schemas.names import CONTROL_KEY
from services.cli.main import app
from services.replay.attestation import Attestor
from services.replay.chunks import Chunk
from services.replay.core.verdicts import Change, Course, differences, percentiles
from services.replay.redaction import Redactor
from services.replay.refold import Refold, Transition
from services.replay.supposing import Supposed, heard
from tests.golden.stories import RULES, recorded
from tests.laws.logs import RULES as LAWS
from tests.laws.logs import Step, steps, written
from tests.support.logs import Log, introduction, key, session
from tests.support.proofs import ProvenSession, mint, trusted

pytestmark = pytest.mark.usefixtures("restored_logs")
NIGHT = Path(__file__).parents[2] / "golden" / "first-night.jsonl.zst"


def asked(where: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["replay", str(where), "-o", "json", *words])


def told(done: Result) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[:-1], lines[-1]


def test_a_silence_shorter_than_the_patience_supposed_would_have_been_none(tmp_path: Path) -> None:
    """One workload is silent for four windows, one for ever; three are allowed, five are supposed."""
    log = Log()
    for who in (1, 2, 3):
        log.connect(who)
    log.tick()
    for window in range(14):
        for who in (1, 2, 3):
            if who == 1 or (who == 2 and not 2 <= window < 6) or window < 2:
                log.heartbeat(who, seq=window + 1)
        log.tick()
    tape = tmp_path / "tape"
    tape.write_bytes(recorded(log))
    found, summary = told(asked(tape, "--what-if", "missed_windows=5"))
    changes = {(one["key"], one["verdict"]): one["would"] for one in found}
    assert changes[key(2).decode(), "absent"] == "would not be"
    assert changes[key(3).decode(), "absent"] == "later"
    assert summary["verdicts"]["absent"] == {"was": 2, "wouldBe": 1, "would not be": 1, "later": 1}
    assert summary["detectionMs"] == {
        "was": {"p50": 4000, "p90": 4000, "p99": 4000, "max": 4000},
        "wouldBe": {"p50": 6000, "p90": 6000, "p99": 6000, "max": 6000},
    }
    _, summary = told(asked(tape, "--what-if", "grace_windows=12"))
    assert summary["verdicts"]["removed"] == {"was": 1, "wouldBe": 0, "would not be yet": 1}


def test_without_the_brake_those_it_kept_would_have_been_marked_absent() -> None:
    found, summary = told(asked(NIGHT, "--what-if", "brake=off"))
    assert summary["verdicts"]["unknown"] == {"was": 11, "wouldBe": 0, "would not be": 11}
    assert {one["would"] for one in found if one["verdict"] == "absent"} == {"sooner"}


def test_another_bundle_would_have_refused_the_same_machine(tmp_path: Path) -> None:
    log, living = Log(now=1_800_000_000_000), ProvenSession(introduction(1), session(1))
    log.append(CONTROL_KEY, trusted().to_json())
    log.append(key(1), living.connect().to_json())
    log.tick()
    tape, other = tmp_path / "tape", tmp_path / "aws.json"
    tape.write_bytes(recorded(log, (mint().bundle(),)))
    other.write_text(mint().bundle(regions=("eu-west-1",)).model_dump_json())
    found, summary = told(asked(tape, "--what-if", f"bundle={other}"))
    assert summary["verdicts"]["joined"] == {"was": 1, "wouldBe": 0, "would not be": 1}
    assert found[0]["wouldBe"] is None
    tape.write_bytes(recorded(log, (mint().bundle(),), Redactor(b"k" * 32, Attestor([mint().bundle()]))))
    assert "it is redacted" in asked(tape, "--what-if", f"bundle={other}").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("patience=5", "no such rule"),
        ("missed_windows", "expected KEY=VALUE"),
        ("missed_windows=0", "missed_windows: Input should be greater"),
        ("window=soon", "expected a length"),
        ("brake=on", "expected off"),
        ("bundle=nowhere", "no such trust bundle"),
    ],
)
def test_what_cannot_be_supposed_is_said_to_be_so(words: str, said: str) -> None:
    done = asked(NIGHT, "--what-if", words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", "").split())


def test_nothing_is_asserted_of_what_was_not() -> None:
    assert asked(NIGHT, "--what-if", "brake=off", "--fail-on", "removal").exit_code == 2


def courses(records: list[Any], recorded_ms: int, wanted_ms: int) -> tuple[Course, Course, dict[bytes, int]]:
    """Fold a log as it was, and recomputed, by the same rules."""
    found = Course(), Course()
    was = Refold(LAWS, listens=True)
    supposed = Supposed(Refold(LAWS, listens=True), recorded_ms, wanted_ms)
    chunk = Chunk("muster.events", 0, records)
    for which, refold, coming in (
        (0, was, was.take(chunk)),
        (1, supposed.refold, (one for part in (supposed.take(chunk), supposed.end()) for one in part)),
    ):
        for one in coming:
            if isinstance(one, Transition) and one.state is not None:
                place = one.place
                found[which].take(
                    one.key, one.state, place.offset, place.time_ms, heard(refold, one), certain=one.certain
                )
    return *found, dict(supposed.refold.standings[0].heard or {}) if supposed.refold.standings else {}


@given(steps)
@settings(max_examples=200, deadline=None)
def test_nothing_would_be_otherwise_under_the_same_settings(script: list[Step]) -> None:
    assert list(differences(*courses(written(script).records, 1000, 1000))) == []


@given(steps)
@settings(max_examples=200, deadline=None)
def test_whatever_the_log_recomputing_its_windows_ends_and_explains_every_difference(script: list[Step]) -> None:
    for one in differences(*courses(written(script).records, LAWS.window_ms, LAWS.window_ms // 2)):
        assert one.change in Change
        assert one.either.key


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert percentiles([]) == {}
    assert percentiles([7]) == {"p50": 7, "p90": 7, "p99": 7, "max": 7}
    assert percentiles(list(range(1, 201))) == {"p50": 100, "p90": 180, "p99": 198, "max": 200}
    assert RULES.window_ms == 1000
