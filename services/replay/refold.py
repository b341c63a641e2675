"""The log folded again by the processor's own core: what it decided, record by record.

Its weight-bearing rule: what follows from records that were not read is said to be uncertain, never guessed. A fold of
a partition is certain if it began at offset 0, no record was lost since or could not be read, and its ticks are those
of the rules that it is folded by.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from schemas.codec import Rejection, decode_workload
from schemas.names import CONTROL_KEY
from schemas.rejected import RejectReason
from schemas.workloads import Presence, Workload
from services.processor.core.record import Appended, Effect, Emit, Ignored, Notice, NoticeKind, Reject
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust
from services.replay.chunks import Gap, Item
from services.replay.snapshots import Part, Snapshot, part_of, restored
from services.replay.standings import Standing


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


class Refold:
    """Rolls of all partitions; memory depends on workloads, not on records."""

    def __init__(
        self,
        rules: Rules,
        home: Home | None = None,
        doubts: tuple[str, ...] = (),
        trust: Trust | None = None,
        *,
        listens: bool = False,
    ) -> None:
        """``home`` of None: nobody knows how many partitions there are; ``doubts`` hold for all of them.

        Who ``listens`` knows when each workload was last heard; that takes longer.
        """
        self._listens = listens
        self._rules = rules
        self._trust = trust
        self._home = home
        self._doubts = doubts
        self.standings: dict[int, Standing] = {}

    def restore(self, snapshot: Snapshot) -> None:
        """Begin from there. Raises ``SnapshotError``."""
        for part in snapshot.parts:
            belongs = self._home(part.partition) if self._home is not None else lambda _key: True
            roll = restored(part, self._rules, belongs, self._trust)
            standing = Standing(roll, roll.resume, [*self._doubts, *part.doubts], told=part.reached)
            standing.source, standing.awaited = snapshot.source, roll.resume
            standing.heard = {} if self._listens else None
            standing.presences = {key: row.presence for key, row in roll.rows.items()}
            self.standings[part.partition] = standing

    def take(self, item: Item) -> Iterator[Happening]:
        """Fold a chunk, or take note of a gap; yield what came of it. Raises what ``trust`` does, and NoTrustError."""
        if isinstance(item, Gap):
            yield from self._gap(item)
            return
        if not item.records:
            return
        standing = self.standings.get(item.partition) or self._begin(item.partition, item.records[0].offset)
        due = standing.due(item.records)
        if not due:
            return
        standing.records += len(due)
        standing.last_ms = due[-1].timestamp
        for records in standing.passes(due):
            yield from _folded(standing, item.partition, records)

    def states(self) -> dict[bytes, Workload]:
        """Return the newest state of every workload that is not forgotten."""
        return {
            key: _workload(row.outcome())
            for standing in self.standings.values()
            for key, row in standing.roll.rows.items()
        }

    def parts(self) -> tuple[Part, ...]:
        """Return the state of every partition, for a snapshot."""
        return tuple(part_of(one.roll, one.reached, one.doubts) for _, one in sorted(self.standings.items()))

    def _begin(self, partition: int, first: int) -> Standing:
        belongs = self._home(partition) if self._home is not None else lambda _key: True
        standing = Standing(Roll(partition, self._rules, belongs, self._trust), first, list(self._doubts))
        standing.heard = {} if self._listens else None
        self.standings[partition] = standing
        if first > 0:
            standing.doubt(f"the fold begins in the middle of the log, at offset {first}, without a snapshot")
        return standing

    def _gap(self, gap: Gap) -> Iterator[Happening]:
        known = self.standings.get(gap.partition)
        if known is not None and known.awaited is not None:
            if gap.end <= known.awaited:
                return
            known.awaited = max(gap.end, known.awaited)
        if not gap.lost:
            if gap.start == 0 and gap.partition not in self.standings:
                self._begin(gap.partition, 0)
            return
        standing = self.standings.get(gap.partition) or self._begin(gap.partition, 0)
        if not standing.records:
            standing.first = gap.end
        standing.doubt(gap.words)
        yield gap


def _folded(standing: Standing, partition: int, records: Sequence[Appended]) -> Iterator[Happening]:
    roll = standing.roll
    state, coming = roll.state, iter(records)
    told = roll.fold_all(records) if standing.heard is None else _heard(roll, records, standing.heard)
    for offset, effects in told:
        record = next(record for record in coming if record.offset == offset)
        if record.key == CONTROL_KEY and not any(isinstance(effect, Reject) for effect in effects):
            standing.suspect(standing.fit.take(record))
        for effect in effects if offset >= standing.told else ():
            yield from _told(standing, partition, record, effect)
        if roll.state is not state:
            standing.suspect(standing.unread.closed(roll.attendance.last))
            counted = roll.state.rolls > state.rolls
            standing.closed["counted" if counted else "braked" if roll.state.braked else "void"] += 1
            state = roll.state


def _heard(roll: Roll, records: Sequence[Appended], heard: dict[bytes, int]) -> Iterator[tuple[int, Sequence[Effect]]]:
    """Do what ``fold_all`` does, one by one, and take note of whose event counted."""
    for record in records:
        key = record.key
        if key is None or key == CONTROL_KEY:
            effects = roll.fold(record)
        else:
            seat, row = roll.attendance.sheet.get(key), roll.rows.get(key)
            effects = roll.fold(record)
            if roll.attendance.sheet.get(key) != seat or roll.rows.get(key) is not row:
                heard[key] = record.timestamp
        if effects:
            yield record.offset, effects


def _told(standing: Standing, partition: int, record: Appended, effect: Effect) -> Iterator[Happening]:
    place = Place(partition, record.offset, record.timestamp)
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
            if effect.reason == RejectReason.UNKNOWN_VERSION:
                standing.suspect(standing.unread.take(record.key, record.value or b"", record.offset))
        case _:
            pass  # a row of the processor's table: only its own shell stores it


def _workload(raw: bytes) -> Workload:
    state = decode_workload(raw)
    if isinstance(state, Rejection):  # pragma: no cover - the core wrote it
        raise TypeError(f"the core told what is no state: {state.message}")
    return state
