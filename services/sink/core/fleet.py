"""Whether so much of the fleet is silent that the observer is to be doubted, and not the fleet (ADR 0016).

The processor's brake knows one partition; where that is small, or fails bit by bit, it cannot tell. Here all partitions
are seen together. Its one rule: while it holds, nobody's registration is taken away and no endpoint loses its traffic
for silence alone. A goodbye is no silence.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.workloads import Presence, Reason, Workload

WORDS = (
    "so many workloads of all are silent that their observer is doubted: nothing is taken from them until most are "
    "back, or an operator says that they are gone (muster override release-removals)"
)
"""Without numbers: each further one would be a write to every object."""


class Limits(NamedTuple):
    """When it holds, and how it lets go."""

    share: float = 0.55
    """It holds where more than this share of all who did not say goodbye is silent (as Kubernetes' node controller)."""
    least: int = 3
    """At least so many of them; fewer may just be dead."""
    release_share: float = 0.25
    """It lets go where no more than this share of those who were silent still is."""
    respite: timedelta = timedelta(seconds=60)
    """For so long after that: who comes back later than most is not taken for dead."""


class Fleet:
    """Who is there and who is silent, over all partitions. What it says changes in ``judge`` alone."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.silent: set[bytes] = set()
        """Missed, unknown, or removed for silence and still registered."""
        self.here: set[bytes] = set()
        self.holding = False
        self.released_until: datetime | None = None
        """An operator's word that the silent are gone counts until then."""
        self._unsure: set[bytes] = set()
        """Removed before anything was read of them: what they were shows in Kubernetes."""
        self._worst = 0
        self._calm_since: datetime | None = None

    def take(self, key: bytes, state: Workload | None) -> None:
        """Take the newest state of a workload; None: the processor has forgotten it."""
        was_here, was_known = key in self.here, key in self.here or key in self.silent
        self.here.discard(key)
        self._unsure.discard(key)
        if state is None:
            self.silent.discard(key)
            return
        match state.presence:
            case Presence.CONNECTED:
                self.silent.discard(key)
                self.here.add(key)
            case Presence.ABSENT if state.reason is Reason.DISCONNECTED:
                self.silent.discard(key)
            case Presence.UNKNOWN | Presence.ABSENT:
                self.silent.add(key)
            case Presence.REMOVED if was_here:
                self.silent.add(key)
            case Presence.REMOVED if not was_known:
                self._unsure.add(key)
            case Presence.REMOVED:
                pass

    def settle(self, was_silent: Callable[[bytes], bool]) -> None:
        """Count those of whom nothing but their removal was read; ``was_silent`` looks at what is registered."""
        self.silent |= {key for key in self._unsure if was_silent(key)}
        self._unsure.clear()

    def carried_out(self, key: bytes) -> None:
        """Count somebody no more: nothing is registered that could be taken away."""
        self.silent.discard(key)
        self._unsure.discard(key)

    def judge(self, now: datetime) -> bool:
        """Decide whether it holds; return whether that changed."""
        was = self.holding
        if self.released_until is not None and now < self.released_until:
            self.holding = False
        elif self.holding:
            self.holding = not self._recovered(now)
        else:
            count = len(self.silent)
            self.holding = count >= self.limits.least and count > self.limits.share * (count + len(self.here))
            self._worst, self._calm_since = count, None
        return was != self.holding

    def _recovered(self, now: datetime) -> bool:
        """Whether most of those who were silent are back, and have been for a while; newcomers prove nothing."""
        self._worst = max(self._worst, len(self.silent))
        if len(self.silent) > self.limits.release_share * self._worst:
            self._calm_since = None
            return False
        self._calm_since = self._calm_since or now
        return now - self._calm_since >= self.limits.respite

    def doubts(self, key: bytes) -> bool:
        """Whether the silence of a workload is held against its observer."""
        return self.holding and key in self.silent
