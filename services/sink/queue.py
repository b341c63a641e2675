"""A work queue of keys, as Kubernetes' own controllers have it: each key at most once, and never in two hands.

A key added while it is worked on is worked on again afterwards; one that failed comes back after a backoff of its own.
"""

import asyncio
from collections import deque

FIRST_S = 0.1
LONGEST_S = 30.0


class WorkQueue:
    """Keys that need work."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._queued: set[bytes] = set()
        self._busy: set[bytes] = set()
        self._again: set[bytes] = set()
        self._failures: dict[bytes, int] = {}
        self._later: dict[bytes, asyncio.TimerHandle] = {}
        self._ready = asyncio.Event()

    def __len__(self) -> int:
        """How many keys wait, those in backoff included."""
        return len(self._waiting) + len(self._again) + len(self._later)

    def add(self, key: bytes) -> None:
        """Let a key be worked on soon."""
        if (timer := self._later.pop(key, None)) is not None:
            timer.cancel()
        if key in self._busy:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._waiting.append(key)
            self._ready.set()

    async def get(self) -> bytes:
        """Return a key to work on; ``done`` or ``retry`` must follow."""
        while not self._waiting:
            self._ready.clear()
            await self._ready.wait()
        key = self._waiting.popleft()
        self._queued.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: bytes, again_s: float = 0.0) -> None:
        """Say that the work on a key succeeded; it is looked at again in ``again_s`` seconds unless that is 0."""
        self._failures.pop(key, None)
        self._release(key)
        if again_s:
            self._delay(key, again_s)

    def retry(self, key: bytes, after_s: float | None = None) -> float:
        """Let a key come back after its backoff, or after what Kubernetes asked for; return the seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay: float = max(min(FIRST_S * 2.0 ** min(failures, 20), LONGEST_S), after_s or 0.0)
        self._release(key)
        self._delay(key, delay)
        return delay

    def _delay(self, key: bytes, delay_s: float) -> None:
        if key not in self._queued:
            self._later[key] = asyncio.get_running_loop().call_later(delay_s, self._due, key)

    def _due(self, key: bytes) -> None:
        self._later.pop(key, None)
        self.add(key)

    def _release(self, key: bytes) -> None:
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is worked on."""
        return not (self._waiting or self._busy or self._later)
