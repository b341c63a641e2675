"""The log folded again by the processor's own core: what it decided, record by record.

Its weight-bearing rule: what follows from records that were not read is said to be uncertain, never guessed. A fold of
a partition is certain if it began at offset 0 and no record was lost since.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from schemas.codec import Rejection, decode_event, decode_workload
from schemas.events import Tick
from schemas.names import CONTROL_KEY
from schemas.workloads import Presence, Workload
from services.processor.core.record import Appended, Effect, Emit, Ignored, Notice, NoticeKind, Reject
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from services.replay.chunks import Gap, Item


class Place(NamedTuple):
    """The record that brought something about."""

    partition: int
    offset: int
    time_ms: int


class Transition(NamedTuple):
    """What the processor told of a workload; a state of None: it forgot it, long after its removal."""

    place: Place
    key: bytes
    before: Presence | None
    state: Workload | None
    certain: bool


class Noted(NamedTuple):
    """What befell a whole partition."""

    place: Place
    kind: NoticeKind
    words: str


Happening = Transition | Noted | Gap
Home = Callable[[int], Callable[[bytes], bool]]
"""Of a partition: whether the partitioner sends a key to it."""


@dataclass(slots=True)
class Standing:
    """One partition, and what was counted of it."""

    roll: Roll
    first: int = 0
    """Offset at which the fold began."""
    doubts: list[str] = field(default_factory=list)
    """Why not everything is known."""
    records: int = 0
    last_ms: int = 0
    closed: Counter[str] = field(default_factory=Counter)
    """Windows by what became of them: counted, void or braked."""
    ignored: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    presences: dict[bytes, Presence] = field(default_factory=dict)
    aligned: bool = True
    """Whether the number of the open window is known."""


class Refold:
    """Rolls of all partitions; memory depends on workloads, not on records."""

    def __init__(self, rules: Rules, home: Home | None = None, doubts: tuple[str, ...] = ()) -> None:
        """``home`` of None: nobody knows how many partitions there are; ``doubts`` hold for all of them."""
        self._rules = rules
        self._home = home
        self._doubts = doubts
        self.standings: dict[int, Standing] = {}

    def take(self, item: Item) -> Iterator[Happening]:
        """Fold a chunk, or take note of a gap; yield what came of it."""
        if isinstance(item, Gap):
            yield from self._gap(item)
            return
        if not item.records:
            return
        standing = self.standings.get(item.partition) or self._begin(item.partition, item.records[0].offset)
        standing.records += len(item.records)
        standing.last_ms = item.records[-1].timestamp
        for records in _passes(standing, item.records):
            yield from _folded(standing, item.partition, records)

    def states(self) -> dict[bytes, Workload]:
        """Return the newest state of every workload that is not forgotten."""
        return {
            key: _workload(row.outcome())
            for standing in self.standings.values()
            for key, row in standing.roll.rows.items()
        }

    def _begin(self, partition: int, first: int) -> Standing:
        belongs = self._home(partition) if self._home is not None else lambda _key: True
        standing = Standing(Roll(partition, self._rules, belongs), first, list(self._doubts))
        self.standings[partition] = standing
        if first > 0:
            _doubt(standing, f"the fold begins in the middle of the log, at offset {first}, without a snapshot")
        return standing

    def _gap(self, gap: Gap) -> Iterator[Happening]:
        if not gap.lost:
            if gap.start == 0 and gap.partition not in self.standings:
                self._begin(gap.partition, 0)
            return
        standing = self.standings.get(gap.partition) or self._begin(gap.partition, 0)
        if not standing.records:
            standing.first = gap.end
        _doubt(standing, gap.words)
        yield gap


def _passes(standing: Standing, records: Sequence[Appended]) -> Iterator[Sequence[Appended]]:
    """Yield what can be folded in one pass; where a tick may say which window is open, it is looked at before."""
    begun = 0
    for index, record in enumerate(() if standing.aligned else records):
        if record.key == CONTROL_KEY:
            yield records[begun:index]
            _align(standing, record)
            begun = index
    yield records[begun:]


def _folded(standing: Standing, partition: int, records: Sequence[Appended]) -> Iterator[Happening]:
    roll = standing.roll
    state, coming = roll.state, iter(records)
    for offset, effects in roll.fold_all(records):
        time_ms = next(record.timestamp for record in coming if record.offset == offset)
        for effect in effects:
            yield from _told(standing, Place(partition, offset, time_ms), effect)
        if roll.state is not state:
            counted = roll.state.rolls > state.rolls
            standing.closed["counted" if counted else "braked" if roll.state.braked else "void"] += 1
            state = roll.state


def _doubt(standing: Standing, why: str) -> None:
    """Nothing is certain any more, nor which window is open: a tick must say it."""
    standing.doubts.append(why)
    standing.aligned = False


def _align(standing: Standing, record: Appended) -> None:
    """Take the open window's number from the tick that closes it; that window was not seen whole, so it is void.

    A tick of a window that was closed already names a lower number, and is ignored as ever. A higher one shows that
    ticks are missing, or that the first one seen had been ignored: no tick is appended before its window is open.
    """
    event = decode_event(record.key, record.value)
    state = standing.roll.state
    if isinstance(event, Tick) and (event.window > state.window or state.opened is None):
        standing.roll.state = replace(state, window=event.window)
        standing.roll.void = True


def _told(standing: Standing, place: Place, effect: Effect) -> Iterator[Happening]:
    match effect:
        case Emit(key, value):
            before = standing.presences.pop(key, None)
            state = _workload(value) if value is not None else None
            if state is not None:
                standing.presences[key] = state.presence
            yield Transition(place, key, before, state, not standing.doubts)
        case Notice(kind, words):
            yield Noted(place, kind, words)
        case Ignored(rule):
            standing.ignored[rule] += 1
        case Reject():
            standing.rejected[effect.reason] += 1
        case _:
            pass  # a row of the processor's table: only its own shell stores it


def _workload(raw: bytes) -> Workload:
    state = decode_workload(raw)
    if isinstance(state, Rejection):  # pragma: no cover - the core wrote it
        raise TypeError(f"the core told what is no state: {state.message}")
    return state
