"""What an agent keeps for its next process."""

import stat
from pathlib import Path

import pytest

from services.agent.state import StateFile

KEY, OTHER = b"bookinfo/ratings/vm-1", b"bookinfo/ratings/vm-2"
TAILS = ("0a" * 32, "0b" * 32)


def test_what_was_kept_is_there_for_the_next_process_of_the_same_workload(tmp_path: Path) -> None:
    StateFile(tmp_path, KEY).keep(("0c" * 32,))
    StateFile(tmp_path, KEY).keep(TAILS)
    assert StateFile(tmp_path, KEY).tails() == TAILS
    assert StateFile(tmp_path, OTHER).tails() == ()


def test_nobody_but_the_user_can_read_it(tmp_path: Path) -> None:
    """Also where an older file, or one left half written, had another mode."""
    file = StateFile(tmp_path / "new", KEY)
    file.keep(TAILS)
    file.path.chmod(0o644)
    file.path.with_suffix(".new").write_text("half")
    file.keep(TAILS)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"{", b'{"workload":"a/b/c","tails":["no link"]}', b"\xff"])
def test_a_file_that_cannot_be_read_is_gone_without_and_then_replaced(tmp_path: Path, content: bytes) -> None:
    file = StateFile(tmp_path, KEY)
    file.path.write_bytes(content)
    assert file.tails() == ()
    file.keep(TAILS)
    assert file.tails() == TAILS


def test_a_directory_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a directory")
    file = StateFile(tmp_path / "state", KEY)
    file.keep(TAILS)
    assert file.tails() == ()
