"""Replayed states beside those of ``muster.workloads``, each at its revision: values only.

Ahead and behind are no disagreement: one of the two read further. Different is one, and it is shown field by field with
the record that brought the state. Where the replay itself is not certain, nothing can be held against what is live.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from schemas.workloads import Workload
from services.replay.refold import Refold, Standing


class Kind(StrEnum):
    """How a live state stands to the replayed one."""

    AGREES = "agrees"
    AHEAD = "ahead"
    """It tells of a record that the replay did not reach."""
    BEHIND = "behind"
    """It does not tell yet of a record that the replay folded."""
    DIFFERENT = "different"
    UNCERTAIN = "uncertain"
    """It is another, but the replay could not know."""


class Found(NamedTuple):
    """One workload; ``words`` are the differences, field by field."""

    key: bytes
    kind: Kind
    place: str
    """Partition and offset of the record that brought the newer of the two states."""
    words: tuple[str, ...] = ()


class Live:
    """The newest revision of each workload, from the records of ``muster.workloads`` in any order."""

    def __init__(self) -> None:
        self.states: dict[bytes, Workload] = {}

    def take(self, key: bytes, state: Workload | None) -> None:
        """Take a record; None is a tombstone."""
        if state is None:
            self.states.pop(key, None)
        elif key not in self.states or state.revision >= self.states[key].revision:
            self.states[key] = state


def compare(refold: Refold, live: Mapping[bytes, Workload]) -> Iterator[Found]:
    """Yield what became of every workload that either knows, in the order of keys."""
    replayed = refold.states()
    for key in sorted(replayed.keys() | live.keys()):
        ours, theirs = replayed.get(key), live.get(key)
        if ours == theirs or (ours is None and theirs is None):
            yield Found(key, Kind.AGREES, "")
            continue
        newer = max((one for one in (ours, theirs) if one is not None), key=lambda state: state.revision)
        kind = _kind(refold.standings.get(newer.partition), ours, theirs)
        place = f"{newer.partition}:{newer.revision}"
        yield Found(key, kind, place, tuple(_fields(ours, theirs)))


def agreement(found: Counter[Kind]) -> str:
    """Return the one line that says how all of them stand."""
    rest = ", ".join(f"{found[kind]} {kind}" for kind in Kind if kind is not Kind.AGREES and found[kind])
    agree = f"compared with live: {found[Kind.AGREES]} of {found.total()} workloads agree"
    return f"{agree}; {rest}" if rest else agree


def _kind(standing: Standing | None, ours: Workload | None, theirs: Workload | None) -> Kind:
    reached = standing.roll.position if standing is not None else 0
    if theirs is not None and theirs.revision >= reached:
        return Kind.AHEAD
    if standing is None or standing.doubts:
        return Kind.UNCERTAIN
    if theirs is None or (ours is not None and theirs.revision < ours.revision):
        return Kind.BEHIND
    return Kind.DIFFERENT


def _fields(ours: Workload | None, theirs: Workload | None) -> Iterator[str]:
    if ours is None or theirs is None:
        yield "only replayed" if theirs is None else "only live"
        return
    left, right = (dict(_flat("", one.model_dump(mode="json", exclude_none=True))) for one in (ours, theirs))
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            yield f"{name}: replayed {left.get(name)!r}, live {right.get(name)!r}"


def _flat(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, inner)
    else:
        yield prefix, value
