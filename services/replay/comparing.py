"""Replayed states beside live ones, each live one at the revision that it tells of: values only.

Ahead and behind are no disagreement: one of the two read further. Different is one, and it is shown field by field with
the record that brought the state. Where the replay itself is not certain, nothing can be held against what is live.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from schemas.workloads import Workload
from services.replay.refold import Happening, Refold, Transition
from services.replay.standings import Standing

Fields = Mapping[str, object]
"""What a state says, flat: names with dots, and values."""


class Kind(StrEnum):
    """How a live state stands to the replayed one."""

    AGREES = "agrees"
    AHEAD = "ahead"
    """It tells of a record that the replay did not reach."""
    BEHIND = "behind"
    """It does not tell yet of a record that the replay folded; what it tells was so."""
    DIFFERENT = "different"
    UNCERTAIN = "uncertain"
    """It is another, but the replay could not know."""


class Seen(NamedTuple):
    """A live state: the record it tells of, and what it says. Where it names no record, ``revision`` is -1."""

    partition: int
    revision: int
    told: Fields


class View(NamedTuple):
    """Something live: its states by key, and what the same would say of a replayed state."""

    name: str
    states: Mapping[bytes, Seen]
    told: Callable[[Workload], Fields]
    excused: Callable[[bytes, Workload], bool] = lambda _key, _state: False
    """Whether it is right that a workload in this state is not there."""


class Found(NamedTuple):
    """One workload; ``words`` are the differences, field by field."""

    key: bytes
    kind: Kind
    place: str
    """Partition and offset of the record that brought the difference about."""
    words: tuple[str, ...] = ()


class Newest:
    """The newest revision of each workload, from the records of ``muster.workloads`` in any order."""

    def __init__(self) -> None:
        self.states: dict[bytes, Workload] = {}

    def take(self, key: bytes, state: Workload | None) -> None:
        """Take a record; None is a tombstone."""
        if state is None:
            self.states.pop(key, None)
        elif key not in self.states or state.revision >= self.states[key].revision:
            self.states[key] = state


class Witness:
    """Keeps the replayed states at the revisions that are live: memory depends on workloads, not on transitions."""

    def __init__(self, views: tuple[View, ...]) -> None:
        self._wanted: dict[bytes, set[int]] = {}
        for view in views:
            for key, seen in view.states.items():
                self._wanted.setdefault(key, set()).add(seen.revision)
        self._states: dict[tuple[bytes, int], Workload] = {}

    def take(self, happening: Happening) -> None:
        """Take what the replay comes to."""
        if isinstance(happening, Transition) and happening.state is not None:
            self.state(happening.key, happening.state)

    def state(self, key: bytes, state: Workload) -> None:
        """Take a replayed state."""
        if state.revision in self._wanted.get(key, ()):
            self._states[key, state.revision] = state

    def at(self, key: bytes, revision: int) -> Workload | None:
        """Return the state that a record brought; None where the replay knows of none."""
        return self._states.get((key, revision))


def compare(refold: Refold, witness: Witness, view: View) -> Iterator[Found]:
    """Yield what became of every workload that either knows, in the order of keys."""
    replayed = refold.states()
    for key, state in replayed.items():
        witness.state(key, state)
    for key in sorted(replayed.keys() | view.states.keys()):
        ours, theirs = replayed.get(key), view.states.get(key)
        if theirs is not None:
            yield _judged(refold, key, ours, witness.at(key, theirs.revision), theirs, view)
        elif ours is not None:
            yield _missing(refold, key, ours, view)


def topic_view(states: Mapping[bytes, Workload]) -> View:
    """Return what ``muster.workloads`` holds."""
    seen = {key: Seen(state.partition, state.revision, topic_fields(state)) for key, state in states.items()}
    return View("muster.workloads", seen, topic_fields)


def topic_fields(state: Workload) -> Fields:
    """Return all that a state says."""
    return dict(flat("", state.model_dump(mode="json", exclude_none=True)))


def flat(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield the leaves of nested fields, by names with dots."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flat(f"{prefix}.{name}" if prefix else name, inner)
    else:
        yield prefix, value


def agreement(found: Mapping[str, Counter[Kind]]) -> str:
    """Return the one line that says how all of them stand, by what they were compared with."""
    counts = list(found.values())
    if all(one == counts[0] and one.total() == one[Kind.AGREES] for one in counts):
        return f"compared with {' and '.join(found)}: {_agree(counts[0])}"
    return "compared " + ", and ".join(f"with {name}: {_agree(one)}" for name, one in found.items())


def _agree(found: Counter[Kind]) -> str:
    rest = ", ".join(f"{found[kind]} {kind}" for kind in Kind if kind is not Kind.AGREES and found[kind])
    agree = f"{found[Kind.AGREES]} of {found.total()} workloads agree"
    return f"{agree}; {rest}" if rest else agree


def _missing(refold: Refold, key: bytes, ours: Workload, view: View) -> Found:
    if view.excused(key, ours):
        return Found(key, Kind.AGREES, "")
    kind = Kind.UNCERTAIN if refold.standings[ours.partition].doubts else Kind.BEHIND
    return Found(key, kind, _place(ours), ("only replayed",))


def _judged(
    refold: Refold, key: bytes, ours: Workload | None, then: Workload | None, theirs: Seen, view: View
) -> Found:
    standing = refold.standings.get(theirs.partition)
    place = f"{theirs.partition}:{theirs.revision}"
    now = tuple(_differences(view.told(ours), theirs.told)) if ours is not None else ("only live",)
    if standing is None or theirs.revision >= standing.reached:
        return Found(key, Kind.AHEAD, place, now)
    newer = ours is None or ours.revision > theirs.revision
    if then is None:
        return Found(key, _unmatched(standing, ours, theirs), place, now)
    words = tuple(_differences(view.told(then), theirs.told))
    if words:
        return Found(key, Kind.UNCERTAIN if standing.doubts else Kind.DIFFERENT, place, words)
    if not newer:
        return Found(key, Kind.AGREES, "")
    return Found(key, Kind.BEHIND, _place(ours) if ours is not None else place, now)


def _unmatched(standing: Standing, ours: Workload | None, theirs: Seen) -> Kind:
    """Judge a live state of a record that brought none in the replay."""
    if standing.doubts:
        return Kind.UNCERTAIN
    before = theirs.revision < standing.told  # what was before a snapshot is not known, but that it is over is
    return Kind.BEHIND if ours is not None and before and ours.revision > theirs.revision else Kind.DIFFERENT


def _differences(replayed: Fields, live: Fields) -> Iterator[str]:
    for name in sorted(replayed.keys() | live.keys()):
        if replayed.get(name) != live.get(name):
            yield f"{name}: replayed {replayed.get(name)!r}, live {live.get(name)!r}"


def _place(state: Workload) -> str:
    return f"{state.partition}:{state.revision}"
