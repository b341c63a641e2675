"""Verdicts of two folds of the same log, held against each other: which of them would have been otherwise.

Its one rule: two verdicts are the same one if they are about the same silence (the workload and when it was last heard)
or about the same record; how many there are of a kind says nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from schemas.workloads import Presence, Reason, Workload

_BY_TICK = {Reason.MISSED_WINDOWS, Reason.SUSPENDED, Reason.GRACE_EXPIRED}
JOINED = "joined"
_WORSE = {"unknown": ("absent", "removed"), "absent": ("removed",), "removed": (), JOINED: ()}
PERCENTILES = (50, 90, 99)


class Verdict(NamedTuple):
    """What was decided of a workload, and when (broker time, milliseconds)."""

    key: bytes
    what: str
    """``absent``, ``unknown``, ``removed``, or ``joined`` where a session was taken."""
    at_ms: int
    heard_ms: int | None
    """When its agent was last heard before; None: before the range."""
    certain: bool
    silent: bool
    """It was decided by a tick, because the agent was not heard."""


class Change(StrEnum):
    """How a verdict would have been otherwise."""

    GONE = "would not be"
    NOT_YET = "would not be yet"
    NEW = "would be"
    SOONER = "sooner"
    LATER = "later"


class Difference(NamedTuple):
    """One verdict that would have been otherwise; None: there is none."""

    change: Change
    was: Verdict | None
    would: Verdict | None

    @property
    def either(self) -> Verdict:
        """Return the verdict, of whichever fold has it."""
        found = self.was if self.was is not None else self.would
        if found is None:  # pragma: no cover - there is no difference without a verdict
            raise ValueError("a difference of nothing")
        return found


@dataclass
class Course:
    """The verdicts of one fold."""

    verdicts: dict[tuple[bytes, str, bool, int | None], Verdict] = field(default_factory=dict)
    _sessions: dict[bytes, str] = field(default_factory=dict)

    def take(
        self, key: bytes, state: Workload, offset: int, at_ms: int, heard_ms: int | None, *, certain: bool
    ) -> None:
        """Take a state that was told by the record at ``offset``."""
        silent = state.reason in _BY_TICK
        joined = self._sessions.get(key) != state.session
        self._sessions[key] = state.session
        if not silent and not joined:
            return
        what = state.presence.value if silent else JOINED
        cause = heard_ms if silent else offset
        verdict = Verdict(key, what, at_ms, heard_ms, certain, silent)
        self.verdicts.setdefault((key, what, silent, cause), verdict)

    def detections(self) -> list[int]:
        """Return how long each silence lasted until it was noticed, in milliseconds, the shortest first."""
        found = self.verdicts.values()
        return sorted(
            one.at_ms - one.heard_ms
            for one in found
            if one.what == Presence.ABSENT and one.silent and one.heard_ms is not None
        )


def differences(was: Course, would: Course, heard: Mapping[bytes, int]) -> Iterator[Difference]:
    """Yield what would have been otherwise; ``heard`` is when each was last heard at the end of the range."""
    for place, one in was.verdicts.items():
        other = would.verdicts.get(place)
        if other is None:
            going_on = one.silent and one.heard_ms is not None and heard.get(one.key) == one.heard_ms
            beyond = any((one.key, worse, *place[2:]) in would.verdicts for worse in _WORSE[one.what])
            yield Difference(Change.NOT_YET if going_on and not beyond else Change.GONE, one, None)
        elif other.at_ms != one.at_ms:
            yield Difference(Change.SOONER if other.at_ms < one.at_ms else Change.LATER, one, other)
    for place, other in would.verdicts.items():
        if place not in was.verdicts:
            yield Difference(Change.NEW, None, other)


def percentiles(sorted_ms: Sequence[int], wanted: Iterable[int] = PERCENTILES) -> dict[str, int]:
    """Return the nearest-rank percentiles and the longest; nothing of nothing."""
    if not sorted_ms:
        return {}
    count = len(sorted_ms)
    found = {f"p{one}": sorted_ms[max(0, -(-count * one // 100) - 1)] for one in wanted}
    return {**found, "max": sorted_ms[-1]}
