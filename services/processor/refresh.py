"""What an owner knows, told again row by row, so that a dead owner's late row is never the last word on a workload.

Kafka's compaction keeps the last record of a key, and not the newest revision. A zombie may append an older one at any
time (ADR 0004); within a third of what compaction waits (``schemas.topics``) the owner's own stands behind it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.topics import COMPACTION_LAG_MS


def windows_of(window_ms: int) -> int:
    """Return in how many windows every row is told again: a third of what compaction waits.

    A row that is early in one round and late in the next waits two of them, and an owner may be away for a while.
    """
    return max(1, COMPACTION_LAG_MS // 3 // window_ms)


@dataclass(slots=True)
class Refresh:
    """Goes through the rows of one partition again and again, a share of them at each tick: no clock is needed."""

    windows: int
    window: int | None = None
    """The window that was open when it was last asked."""
    owed: float = 0.0
    keys: list[bytes] = field(default_factory=list)
    """Those left of the present round, last first."""

    def due(self, window: int, rows: Mapping[bytes, object]) -> list[bytes]:
        """Return the keys of the rows to tell again, now that this window is open."""
        passed = 0 if self.window is None else max(0, window - self.window)
        self.window = window
        self.owed = min(self.owed + passed * len(rows) / self.windows, len(rows))
        found = []
        while self.owed >= 1:
            self.owed -= 1
            if not self.keys:
                self.keys = sorted(rows, reverse=True)
            key = self.keys.pop()
            if key in rows:
                found.append(key)
        return found
