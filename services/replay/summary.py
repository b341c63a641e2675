"""What a replay comes to: counts, what cannot be known, and what was asked not to be; values only."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from schemas.workloads import Presence, Workload
from services.processor.core.record import NoticeKind
from services.replay.chunks import Gap
from services.replay.lines import to_time
from services.replay.refold import Happening, Noted, Refold, Transition
from services.replay.standings import OfReading

_UNKNOWN_VERSION = "UnknownVersion"


class FailOn(StrEnum):
    """What can be asked not to happen."""

    REMOVAL = "removal"
    ABSENCE = "absence"
    BRAKE = "brake"
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"


@dataclass
class Tally:
    """What was shown."""

    transitions: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def take(self, happening: Happening) -> None:
        """Count one."""
        match happening:
            case Transition(state=Workload() as state):
                self.transitions += 1
                self.seen[FailOn.REMOVAL] += state.presence is Presence.REMOVED
                self.seen[FailOn.ABSENCE] += state.presence is Presence.ABSENT
            case Noted(kind=NoticeKind.BRAKED):
                self.seen[FailOn.BRAKE] += 1
            case _:
                pass


def summary(refold: Refold, tally: Tally, *, interrupted: bool = False, complete: bool = True) -> dict[str, Any]:
    """Return the summary as JSON; ``complete`` means that all was read that was asked for, and recorded."""
    standings = refold.standings
    total: dict[str, Counter[str]] = {
        name: sum((getattr(one, name) for one in standings.values()), Counter())
        for name in ("closed", "ignored", "rejected")
    }
    states = Counter(row.presence for one in standings.values() for row in one.roll.rows.values())
    return {
        "records": sum(one.records for one in standings.values()),
        "transitions": tally.transitions,
        "windows": {name: total["closed"][name] for name in ("counted", "void", "braked")},
        "ignored": dict(sorted(total["ignored"].items())),
        "rejected": dict(sorted(total["rejected"].items())),
        "states": {presence.value: states[presence] for presence in Presence},
        "certain": not interrupted and not any(one.doubts for one in standings.values()),
        "interrupted": interrupted,
        "complete": complete and not interrupted,
        "partitions": [
            {
                "partition": number,
                "from": one.first,
                "to": one.reached,
                "lastTime": to_time(one.last_ms),
                "openWindow": one.roll.window if one.aligned or one.closed else None,
                "braked": one.roll.braked,
                "doubts": one.doubts,
            }
            for number, one in sorted(standings.items())
        ],
    }


def begun(refold: Refold) -> list[str]:
    """Say from where the fold of each partition began."""
    return [f"partition {number}: {one.began}" for number, one in sorted(refold.standings.items())]


def cannot_know(refold: Refold) -> list[str]:
    """Say what does not follow from what was read."""
    lines = []
    for number, one in sorted(refold.standings.items()):
        lines += [f"partition {number}: {doubt}" for doubt in one.doubts]
        if any(isinstance(doubt, OfReading) for doubt in one.doubts):
            lines.append(
                f"partition {number}: not known: who was absent, removed or came back behind that; hence what is "
                "marked ? may have been otherwise, and what is missing may have been"
            )
        if not all(isinstance(doubt, OfReading) for doubt in one.doubts):
            unknown = one.ignored["UnknownSession"]
            heard = f"; {unknown} events are of sessions whose beginning was not read" if unknown else ""
            lines.append(
                f"partition {number}: not known: workloads that were not introduced in what was read{heard}; how long "
                "who was away then had been; who else was connected, and so whether the brake held; hence what is "
                "marked ? may have been otherwise"
            )
        if one.rejected[_UNKNOWN_VERSION]:
            lines.append(
                f"partition {number}: {one.rejected[_UNKNOWN_VERSION]} records are of another schema version; they are "
                "rejected here as by a processor of this version, and a newer one may have taken them"
            )
    return lines


def failures(wanted: Iterable[FailOn], refold: Refold, tally: Tally) -> list[str]:
    """Return what happened though it was asked not to."""
    seen = Counter(tally.seen)
    seen[FailOn.REJECTED] = sum(sum(one.rejected.values()) for one in refold.standings.values())
    seen[FailOn.UNCERTAIN] = sum(bool(one.doubts) for one in refold.standings.values())
    return [f"{one}: {seen[one]}" for one in sorted(set(wanted)) if seen[one]]


def unexpected(expected: Mapping[str, Mapping[str, Any] | None], refold: Refold) -> list[str]:
    """Compare the states at the end with those expected, by key and field by field.

    A state that has not changed since the snapshot from which the fold began is told nowhere, and so not expected.
    """
    found = {
        key.decode(): state.model_dump(mode="json", exclude_none=True)
        for key, state in refold.states().items()
        if key.decode() in expected or state.revision >= refold.standings[state.partition].told
    }
    lines = []
    for key in sorted(expected.keys() | found.keys()):
        ours, theirs = found.get(key), expected.get(key)
        if ours is None or theirs is None:
            if ours is not theirs:
                lines.append(f"{key}: {'not expected' if theirs is None else 'expected, but not there'}")
            continue
        lines += [
            f"{key}: {name} is {ours.get(name)!r}, expected {theirs.get(name)!r}"
            for name in sorted(ours.keys() | theirs.keys())
            if ours.get(name) != theirs.get(name)
        ]
    return lines


def gap_words(gap: Gap) -> str:
    """Return a gap as a line among transitions."""
    return f"GAP: {gap.words}; from here on nothing is certain"
