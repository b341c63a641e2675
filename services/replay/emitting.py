"""What a replay would write to a topic again, and what the topic keeps it from writing: values only.

Its one rule: a state is emitted only over an older one. Whatever is in the topic at the same revision or a later one,
and whatever cannot be known, stays as it is.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from schemas.codec import Rejection, decode_workload
from services.replay.refold import Happening, Transition

EMITTED = "muster-emitted-"
"""Prefix of the headers of what was emitted."""
FORGOTTEN = 2**63
"""The revision of a tombstone that does not say its own: after every state of before."""

Headers = list[tuple[str, bytes]]


class Outcome(NamedTuple):
    """The newest state of a workload in the range; a value of None: it was forgotten."""

    partition: int
    revision: int
    value: bytes | None


class Fate(StrEnum):
    """What becomes of an outcome."""

    EMITTED = "emitted"
    THERE = "already there"
    OLDER = "older than what is there"
    FORGOTTEN = "forgotten there"
    NOT_THERE = "not there, and the log was not replayed to its end: it may have been forgotten since"


@dataclass
class Outcomes:
    """The newest outcome of each workload in the range that was shown; memory depends on workloads only."""

    found: dict[bytes, Outcome] = field(default_factory=dict)
    uncertain: int = 0
    """Transitions that did not follow from what was read."""

    def take(self, happening: Happening) -> None:
        """Take what the replay came to, in the order of each partition."""
        if not isinstance(happening, Transition):
            return
        if not happening.certain:
            self.uncertain += 1
            self.found.pop(happening.key, None)
            return
        state, place = happening.state, happening.place
        self.found[happening.key] = Outcome(
            place.partition,
            state.revision if state is not None else place.offset,
            state.to_json() if state is not None else None,
        )


class Fence:
    """The newest revision of each key in the target, from its records in order."""

    def __init__(self) -> None:
        self.newest: dict[bytes, int] = {}
        self.overtaken: dict[bytes, bytes | None] = {}
        """What stood under a key and is newer than the record that follows it: compaction would lose it."""
        self._values: dict[bytes, bytes | None] | None = None

    def take(self, key: bytes | None, value: bytes | None, headers: object) -> None:
        """Take the next record; what is no state of a workload is passed over."""
        if key is None or (revision := _revision(value, headers)) is None:
            return
        known = self.newest.get(key)
        if known is None or revision >= known or (known == FORGOTTEN and not _ours(headers)):
            self.newest[key] = revision
            self.overtaken.pop(key, None)
            if self._values is not None:
                self._values[key] = value
        elif self._values is not None and key in self._values and _ours(headers):
            self.overtaken[key] = self._values[key]

    def watch(self) -> None:
        """From here on it is we who write: note what others wrote meanwhile that ours would overtake."""
        self._values = {}

    def fate(self, key: bytes, outcome: Outcome, *, whole: bool) -> Fate:
        """Say what becomes of an outcome; ``whole``: a key that is not there was never there, and not forgotten."""
        known = self.newest.get(key)
        if known is None:
            return Fate.EMITTED if whole else Fate.NOT_THERE
        if known == FORGOTTEN:
            return Fate.FORGOTTEN
        if known == outcome.revision:
            return Fate.THERE
        return Fate.EMITTED if known < outcome.revision else Fate.OLDER

    def passed(self, outcomes: Mapping[bytes, Outcome], *, whole: bool) -> tuple[dict[bytes, Outcome], Counter[Fate]]:
        """Return what is to be emitted, and how many have which fate."""
        fates = {key: self.fate(key, outcome, whole=whole) for key, outcome in outcomes.items()}
        chosen = {key: outcomes[key] for key in sorted(fates) if fates[key] is Fate.EMITTED}
        return chosen, Counter(fates.values())


@dataclass(frozen=True)
class Provenance:
    """Where what is emitted comes from, and who had it emitted."""

    source: str
    cluster: str
    ranges: Mapping[int, tuple[int, int]]
    """Of each partition of the log: the offsets folded, from and to before."""
    who: str
    why: str
    at: str
    version: str

    def headers(self, outcome: Outcome) -> Headers:
        """Return the headers of one record."""
        start, end = self.ranges.get(outcome.partition, (0, 0))
        told = {
            "source": self.source,
            "cluster": self.cluster,
            "range": f"{outcome.partition}:{start}-{end}",
            "revision": str(outcome.revision),
            "who": self.who,
            "why": self.why,
            "at": self.at,
            "version": self.version,
        }
        return [(f"{EMITTED}{name}", words.encode()) for name, words in told.items()]


def provenance(headers: object) -> dict[str, str]:
    """Return what the headers of a record say of where it comes from; empty: it was not emitted by a replay."""
    found = headers if isinstance(headers, list | tuple) else ()
    return {
        name[len(EMITTED) :]: (value or b"").decode(errors="replace")
        for name, value in found
        if name.startswith(EMITTED)
    }


def _ours(headers: object) -> bool:
    return bool(provenance(headers))


def _revision(value: bytes | None, headers: object) -> int | None:
    if value is None:
        told = provenance(headers).get("revision", "")
        return int(told) if told.isdigit() else FORGOTTEN
    state = decode_workload(value)
    return None if isinstance(state, Rejection) else state.revision
