"""Every verdict that was ever recorded comes out the same, for ever."""

import hashlib
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


def test_no_recording_and_nothing_expected_of_one_was_changed_or_taken_away() -> None:
    """Both together would still agree: MANIFEST, in the form of sha256sum, only ever gets longer."""
    folder = Path(__file__).parent
    manifest = (folder / "MANIFEST").read_text(encoding="utf-8").splitlines()
    locked = {name: digest for digest, name in (line.split("  ") for line in manifest)}
    there = [*folder.glob("*.jsonl.zst"), *folder.glob("*.expected.jsonl")]
    assert {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in there} == locked
    assert len(manifest) == len(locked)
    assert locked.items() >= FIRST


FIRST = {
    ("first-night.expected.jsonl", "e5f8141eaf41101c406544c3ede5019d7480f14182702401a794376b43c7ed76"),
    ("first-night.jsonl.zst", "18e3bfe8daaea9d55dbb7c8a4a11d92be2417676403dbfc9fee3a64d0640eadc"),
    ("lost-start.expected.jsonl", "6ff330c3aa3c75f8588eaf3a565ef8ed729eca3fd62c9a9ced553b0dfd1610a7"),
    ("lost-start.jsonl.zst", "cec773ea59a3094c6afa1c5224dc41e76ff56f9d7efb5d65641f1b14008b4d3d"),
    ("proofs-redacted.expected.jsonl", "ad80f6529f73ada6a5a331504d5d51834a6880cb23ed4d4eaa01d0244cc2395f"),
    ("proofs-redacted.jsonl.zst", "9417790d124d5bc9b0b8073291af66ffc6b1f9c7eb9bd9dc5dd4952a9ce0354d"),
    ("proofs.expected.jsonl", "67778843c94a7f12fb932fb599db26904d898235a47d7c3938acc898c590c5d5"),
    ("proofs.jsonl.zst", "94f606c12693b63faf7f6a7734df6fea20ca2d508b8bef958f610526d0e3da76"),
    ("second-half.expected.jsonl", "f608c5453f33d8b5b2d27aef829fabee4bdeec9394f9c0d1601189afcdb04d3f"),
    ("second-half.jsonl.zst", "e0c9cec6bf973d24fd3a68327fcdff4253e74eee33d804c9b9c3135885e92c85"),
    ("switch.expected.jsonl", "6e7ba79cda57112cec3df7ee4d6845f129894ccab59325d8113d30c3d88a4a85"),
    ("switch.jsonl.zst", "1ed214e388c1bc81f7a5f9f08d48746b169e4bb0c2a9ca2e8b7d37bfdd5abb20"),
}
"""The oldest of them: who edits a recording and the manifest edits this, too."""
