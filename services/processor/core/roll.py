"""The roll of one partition: ``fold(record) -> effects``, and all that it knows.

A record is applied once and its outcome can be told again (DESIGN.md, rule 4; ADR 0004). After a restart the
records up to the last stored tick are history: they rebuild the attendance and tell again what was last
decided, and decide nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

from schemas.codec import Rejection, decode_event, plain_heartbeat
from schemas.events import (
    Connect,
    ControlEvent,
    Disconnect,
    Event,
    Heartbeat,
    Override,
    Resumed,
    RoleChecked,
    Tick,
    Trusted,
)
from schemas.workloads import Presence
from services.processor.core import control, orders, roles, session, verdict
from services.processor.core.book import Book
from services.processor.core.record import (
    Appended,
    Effect,
    Emit,
    Notice,
    NoticeKind,
)
from services.processor.core.rows import PartitionRow, WorkloadRow, decode, is_partition_key
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust

_CONNECTED = Presence.CONNECTED
"""Looked up once: for each heartbeat it would be a property of the enumeration."""


class Roll(Book):
    """The state of one partition. Not thread-safe; a function of its rows and the records folded since."""

    def __init__(
        self,
        partition: int,
        rules: Rules,
        belongs: Callable[[bytes], bool] = lambda _key: True,
        trust: Trust | None = None,
    ) -> None:
        """``belongs(key)`` tells whether the partitioner sends a key to this partition."""
        super().__init__(partition, rules, belongs, trust)
        self.position = 0
        """Offset of the next record to fold; what is below it was folded by this object."""
        self._untold: dict[int, list[bytes]] = {}
        self._history = -1

    @classmethod
    def restore(
        cls,
        partition: int,
        rules: Rules,
        rows: Iterable[tuple[bytes, bytes]],
        belongs: Callable[[bytes], bool] = lambda _key: True,
        trust: Trust | None = None,
    ) -> Self:
        """Return the roll that wrote these rows; rows of other partitions are passed over."""
        roll = cls(partition, rules, belongs, trust)
        for key, raw in rows:
            row = decode(key, raw)
            if row.partition != partition:
                continue
            if isinstance(row, PartitionRow):
                roll.state = row
            elif not is_partition_key(key):
                roll.rows[key] = row
                roll._untold.setdefault(row.revision, []).append(key)
        roll._take_seats()
        return roll

    def _take_seats(self) -> None:
        """Derive from the rows what is kept beside them."""
        self.attendance.missed = {key.encode(): seen for key, seen in self.state.missed.items()}
        self.overridden = self.state.overridden
        self.trusted = self.named = self.state.trust
        self.keys = self.state.keys
        self.obeyed = dict(self.state.obeyed)
        self.held = dict(self.state.held)
        self._history = self.state.revision
        for key, row in sorted(self.rows.items(), key=lambda item: item[1].away):
            match row.presence:
                case Presence.UNKNOWN:
                    self.attendance.unknown.add(key)
                case Presence.ABSENT:
                    self.absent[key] = row.away
                case Presence.REMOVED:
                    self.removed[key] = row.away
                case Presence.CONNECTED:
                    pass

    @property
    def resume(self) -> int:
        """Offset from which a new owner must read: what may be committed once all effects so far are durable.

        While history is read again, what it tells may never have been told before: no further than that.
        """
        return min(self.state.resume, self.position) if self._history >= 0 else self.state.resume

    def fold(self, record: Appended) -> Sequence[Effect]:
        """Apply one record; return its effects in the order in which they must be carried out."""
        if record.offset < self.position:
            return ()
        if self._history >= 0 and record.offset > self._history:
            self._leave_history()
        self.position = record.offset + 1
        event = decode_event(record.key, record.value)
        effects: list[Effect] = []
        if self._untold and (keys := self._untold.pop(record.offset, None)):
            effects.extend(Emit(key, self.rows[key].outcome()) for key in keys if key in self.rows)
        if isinstance(event, Rejection):
            effects.append(self.reject(record, event))
        elif record.offset <= self._history:
            self._remember(record, event)
        else:
            self._apply(record, event, effects)
        return effects

    def fold_all(self, records: Sequence[Appended]) -> Iterator[tuple[int, Sequence[Effect]]]:
        """Do what ``fold`` does for each record, quicker; yield the offset and the effects of those that have some."""
        place = 0
        while (place := self._skim(records, place)) < len(records):
            record = records[place]
            if effects := self.fold(record):
                yield record.offset, effects
            place += 1

    def _skim(self, records: Sequence[Appended], first: int) -> int:
        """Take records as long as they are what nearly all are: heartbeats of the connected, with nothing new in them.

        They only enter the sheet. Return the place of the first that might be something else: ``fold`` would do the
        same with those before it.
        """
        if self._history >= 0:
            return first
        rows, sheet, highest = self.rows, self.attendance.sheet, self.attendance.highest
        next_link = self.chains.next_link
        for place in range(first, len(records)):
            record = records[place]
            key, value, offset = record.key, record.value, record.offset
            if key is None or value is None or offset < self.position:
                return place
            row = rows.get(key)
            if row is None or row.presence is not _CONNECTED or offset <= row.revision:
                return place
            beat = plain_heartbeat(value, row.session)
            if beat is None:
                return place
            seq, link, workload = beat
            key = row.key  # the one object, so that tables compare no bytes and keep no copy
            seen = highest(key)
            if (
                seq <= (row.seq if seen is None else seen)
                or (workload is not None and (row.verified is None or workload != row.text()))
                or (row.chain is not None and not next_link(key, row.chain, seq, link))
            ):
                return place
            sheet[key] = seq
            self.position = offset + 1
        return len(records)

    def _apply(self, record: Appended, event: Event, effects: list[Effect]) -> None:
        if isinstance(event, ControlEvent) and not control.admitted(self, record, event, effects):
            return
        match event:
            case Connect() | Heartbeat() | Disconnect():
                session.apply(self, record, event, effects)
            case Tick():
                verdict.close_window(self, record, event, effects)
            case Resumed():
                self.void = True
                self.resumed = record.offset
                words = f"window {self.window} is void: {event.owner} took over"
                effects.append(Notice(NoticeKind.VOID_WINDOW, words))
            case Trusted():
                control.trust(self, record, event, effects)
            case RoleChecked():
                roles.apply(self, record, event, effects)
            case Override():
                orders.obey(self, record, event, effects)

    def _remember(self, record: Appended, event: Event) -> None:
        """Rebuild the last sheet from a record of the window that the last stored tick closed."""
        if record.offset < self.state.resume or not isinstance(event, Connect | Heartbeat) or record.key is None:
            return
        row = self.rows.get(record.key)
        # Who missed that window sent what did not count: its highest seq is kept with the miss.
        if row is None or row.session != event.session or record.key in self.attendance.missed:
            return
        if not self._was_linked(record.key, record.offset, row, event):
            return
        if row.presence is Presence.CONNECTED:
            last = self.attendance.last
            seq = event.seq if record.offset > row.revision else min(event.seq, row.seq)
            last[row.key] = max(seq, last.get(row.key, 0))

    def _was_linked(self, key: bytes, offset: int, row: WorkloadRow, event: Connect | Heartbeat) -> bool:
        """Tell whether an event of the living session showed its link when it was first folded."""
        chain = row.chain
        if chain is None:
            return True
        first = event.seq == chain.seq or (event.seq < chain.seq and chain.before is None)
        if offset <= row.revision and (isinstance(event, Connect) or first):
            # The row is of a later record: whatever began the session, or came before it had a chain, was taken.
            return True
        if isinstance(event, Connect) or not self.chains.shown(key, chain, event.seq, event.link):
            return False
        # A renewal that was taken is in the row.
        return event.chain is None or event.seq <= chain.seq

    def _leave_history(self) -> None:
        """Give a place to the connected whose records are gone (retention, offsets moved by hand).

        Without one they could never be missed; with it they have missed nothing yet.
        """
        attendance = self.attendance
        for key, row in self.rows.items():
            known = key in attendance.last or key in attendance.missed
            if row.presence is Presence.CONNECTED and row.revision <= self._history and not known:
                attendance.missed[key] = (0, row.seq)
        self._history = -1
