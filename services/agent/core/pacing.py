"""When the next thing is due: jitter and backoff as arithmetic.

Chance is handed in as a number in [0, 1): the same inputs always give the same times.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pacing:
    """How an agent spaces what it sends. All times are milliseconds."""

    heartbeat_ms: int = 5_000
    jitter: float = 0.2
    """Share by which intervals vary to either side, so that agents started together drift apart."""
    introduction_ms: int = 180_000
    retry_ms: int = 10_000
    """While the processor may not know the session, introductions come after this, twice this, four times …"""
    patience_ms: int = 30_000
    """An answer that takes longer than this is worth a word."""
    backoff_ms: int = 1_000
    backoff_cap_ms: int = 60_000
    drain_ms: int = 5_000
    """The goodbye is given up after this."""

    def next_heartbeat(self, now_ms: int, chance: float) -> int:
        """Return when the next heartbeat is due."""
        return now_ms + _spread(self.heartbeat_ms, self.jitter, chance)

    def next_introduction(self, now_ms: int, chance: float) -> int:
        """Return from when on a heartbeat carries the introduction again."""
        return now_ms + _spread(self.introduction_ms, self.jitter, chance)

    def next_retry(self, now_ms: int, attempt: int, chance: float) -> int:
        """Return the same for a session that may be unknown, after ``attempt`` such introductions."""
        whole = min(self.introduction_ms, self.retry_ms * 2 ** min(attempt, 30))
        return now_ms + _spread(whole, self.jitter, chance)

    def next_attempt(self, now_ms: int, attempt: int, chance: float) -> int:
        """Return when a new session may begin after ``attempt`` ones that did not last: doubling, capped, jittered."""
        whole = min(self.backoff_cap_ms, self.backoff_ms * 2 ** min(attempt, 30))
        return now_ms + max(1, int(whole * (0.5 + chance / 2)))


def _spread(interval_ms: int, jitter: float, chance: float) -> int:
    return max(1, int(interval_ms * (1 + jitter * (2 * chance - 1))))
