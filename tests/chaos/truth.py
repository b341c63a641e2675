"""The truth about the agents: when each of them was alive and able to reach the broker, as whoever did it knows.

Times are milliseconds since the epoch, by the clock of this machine, which is the broker's too.
"""

import time
from collections.abc import Collection, Iterable

DEAD = "dead"


def now_ms() -> float:
    """Return the time by the clock that the broker stamps records with."""
    return time.time() * 1000


class Truth:
    """Who was able to be heard, and when."""

    def __init__(self) -> None:
        self._reasons: dict[bytes, set[str]] = {}
        """Why a workload cannot be heard now; who can has none."""
        self._able: dict[bytes, list[list[float]]] = {}
        """From when to when each could be heard; the last stretch of one that still can is open."""

    @property
    def keys(self) -> set[bytes]:
        """Everybody who ever was."""
        return set(self._reasons)

    def able_now(self) -> set[bytes]:
        """Return who can be heard now."""
        return {key for key, reasons in self._reasons.items() if not reasons}

    def begin(self, keys: Collection[bytes]) -> None:
        """Let workloads begin, or begin anew: their agents are there and heard."""
        for key in keys:
            self._reasons.setdefault(key, {DEAD})
        self.mend(keys, DEAD)

    def fail(self, keys: Iterable[bytes], why: str) -> None:
        """Say that these cannot be heard from now on, for this reason."""
        for key in keys:
            if not self._reasons[key]:
                self._able[key][-1][1] = now_ms()
            self._reasons[key].add(why)

    def mend(self, keys: Iterable[bytes], why: str) -> None:
        """Say that this reason is gone; who has no other can be heard again."""
        for key in keys:
            reasons = self._reasons[key]
            if why in reasons:
                reasons.discard(why)
                if not reasons:
                    self._able.setdefault(key, []).append([now_ms(), float("inf")])

    def heard(self, key: bytes, begin_ms: float, end_ms: float, least_ms: float) -> bool:
        """Whether somebody could be heard for ``least_ms`` on end between two times."""
        return any(min(until, end_ms) - max(since, begin_ms) >= least_ms for since, until in self._able.get(key, ()))
