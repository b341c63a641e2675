"""A log that names a trust bundle is judged by that bundle or not at all."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from schemas.names import CONTROL_KEY
from services.cli.main import app
from services.identity.watching import Bundles
from services.replay.attestation import Attestor
from services.replay.frames import frames
from services.replay.redaction import Redactor
from tests.golden.stories import recorded
from tests.support.logs import Log, introduction, key, session
from tests.support.proofs import ProvenSession, bundle_file, mint, trusted

pytestmark = pytest.mark.usefixtures("restored_logs")


def living_elsewhere() -> ProvenSession:
    return ProvenSession(introduction(2), session(2))


def proven_log() -> Log:
    # Now: the mint's certificate was made a moment ago.
    log, living = Log(now=int(time.time() * 1000)), ProvenSession(introduction(1), session(1))
    log.append(CONTROL_KEY, trusted().to_json())
    log.append(key(1), living.connect().to_json())
    log.append(key(1), living.heartbeat().to_json())
    log.tick()
    return log


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a recording that knows no bundle."""
    path = tmp_path / "tape.jsonl.zst"
    path.write_bytes(recorded(proven_log()))
    return path


def replay(*words: object) -> Result:
    return CliRunner().invoke(app, ["replay", "-o", "json", *map(str, words)])


def test_without_the_bundle_that_the_log_names_there_is_no_verdict(tape: Path) -> None:
    done = replay(tape)
    assert done.exit_code == 2
    assert f"the log names the trust bundle {mint().bundle().digest}" in done.stderr
    assert "--bundle" in done.stderr
    assert '"transition"' not in done.stdout
    assert '"summary"' not in done.stdout


def test_another_bundle_is_none_either_and_is_named(tape: Path, tmp_path: Path) -> None:
    other = tmp_path / "trust.json"
    other.write_text(mint().bundle(audience="somebody-else").model_dump_json())
    done = replay(tape, "--bundle", other)
    assert done.exit_code == 2
    assert mint().bundle(audience="somebody-else").digest in done.stderr


def test_with_it_the_verified_identity_is_told(tape: Path) -> None:
    done = replay(tape, "--bundle", bundle_file())
    assert done.exit_code == 0, done.output
    told = next(line for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "transition")
    assert told["state"]["verified"]["bundle"] == mint().bundle().digest
    assert replay(tape, f"--set=trust.bundle={bundle_file()}").stdout == done.stdout


def test_a_recording_that_has_the_bundle_needs_nothing_else(tape: Path) -> None:
    alone = tape.with_name("alone.jsonl.zst")
    log = proven_log()
    tape.write_bytes(recorded(log))
    alone.write_bytes(recorded(log, (mint().bundle(),)))
    done = replay(alone)
    assert done.exit_code == 0, done.output
    assert done.stdout == replay(tape, "--bundle", bundle_file()).stdout


def test_a_bundle_that_cannot_be_read_is_said_to_be_it(tape: Path, tmp_path: Path) -> None:
    done = replay(tape, "--bundle", tmp_path / "nothing")
    assert done.exit_code == 2
    assert "there is no such trust bundle" in done.stderr


def test_a_redacted_recording_has_no_credential_and_comes_to_the_same(tape: Path) -> None:
    log, bundle = proven_log(), mint().bundle()
    forged = living_elsewhere().connect().model_dump(mode="json", exclude_none=True)
    forged["proof"]["credential"]["ec2"]["document"] = "{}"
    log.append(key(2), json.dumps(forged).encode())
    tape.write_bytes(recorded(log, (bundle,)))
    whole = replay(tape)
    tape.write_bytes(recorded(log, (), Redactor(b"k" * 32, Attestor([bundle]))))
    hidden = replay(tape)
    assert hidden.exit_code == 0, hidden.output
    assert hidden.stdout == whole.stdout
    assert json.loads(hidden.stdout.splitlines()[-1])["rejected"] == {"IdentityNotVerified": 1}
    lines = b"".join(frame.lines for frame in frames([tape.read_bytes()]))
    assert b"privateIp" not in lines
    assert b'"rsa2048"' not in lines


def test_a_recording_redacted_without_the_bundle_has_no_verdict(tape: Path) -> None:
    tape.write_bytes(recorded(proven_log(), (mint().bundle(),), Redactor(b"k" * 32)))
    done = replay(tape, "--bundle", bundle_file())
    assert done.exit_code == 2
    assert "record it again, with that --bundle" in done.stderr


def test_the_folder_in_which_a_processor_keeps_its_bundles_has_that_of_the_night(tape: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    Bundles(bundle_file(), kept)
    assert replay(tape, "--bundle", kept).stdout == replay(tape, "--bundle", bundle_file()).stdout
    assert replay(tape, f"--set=trust.kept={kept}").exit_code == 0
