"""What an agent keeps on its machine: the tails of its latest hash chains, which show its next process to be its heir.

Whoever reads the file can take the place of this machine's sessions, as far as he has its credential too: mode 0600.
"""

import hashlib
import os
from pathlib import Path
from typing import Annotated

import platformdirs
import structlog
from pydantic import Field, ValidationError

from schemas.credentials import Link
from schemas.message import Message


class Kept(Message):
    """The whole file."""

    workload: str
    """The workload's key, for who looks into the file."""
    tails: Annotated[tuple[Link, ...], Field(max_length=4)]
    """Newest first."""


class StateFile:
    """The file of one workload key in ``directory``, by default the user's directory for state."""

    def __init__(self, directory: Path | None, key: bytes) -> None:
        self._key = key.decode()
        folder = directory or platformdirs.user_state_path("muster")
        self.path = folder / f"agent-{hashlib.sha256(key).hexdigest()[:32]}.json"

    def tails(self) -> tuple[str, ...]:
        """Return what was kept; nothing where there is no file, or, with a warning, where it cannot be read."""
        try:
            return Kept.model_validate_json(self.path.read_bytes()).tails
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as cause:
            why = cause.strerror if isinstance(cause, OSError) else "it is not what an agent writes"
            words = "the state file cannot be read: should a session of this machine still live, its end is waited for"
            structlog.get_logger().warning(words, file=str(self.path), reason=why)
            return ()

    def keep(self, tails: tuple[str, ...]) -> None:
        """Replace the file atomically; warn where that fails, and go on."""
        fresh = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(Kept(workload=self._key, tails=tails).to_json())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as cause:
            words = "the state file cannot be written: the next process of this agent has to wait for this one's end"
            structlog.get_logger().warning(words, file=str(self.path), reason=cause.strerror)
