"""``story``: a partition folded through the processor's own roll, and one workload of it observed between the folds.

Its one rule: it decides nothing. What changed is what the roll emitted; why, is what the roll knew just before.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from schemas.codec import Rejection, decode_event
from schemas.events import Event, Tick
from schemas.names import CONTROL_KEY
from schemas.workloads import Presence
from services.processor.core.record import Appended, Effect, Ignored, Notice, Reject
from services.processor.core.roll import Roll
from services.processor.core.rows import WorkloadRow
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust
from services.replay.core import words
from services.replay.core.beginning import Beginning
from services.replay.core.chapters import Change, Place, Session, Story, Stretch
from services.replay.core.notes import Between, session_name
from services.replay.core.windows import Mark, Windows

_AT_ONCE = 1000
"""Records of other workloads that are folded in one pass."""

_NAMED = 64
"""Earlier sessions that are called by their number, where a record of theirs is ignored."""


def story(  # noqa: PLR0913 - what a roll is made of, and what is wanted of it
    records: Iterable[Appended],
    key: bytes,
    rules: Rules,
    *,
    partition: int = 0,
    until: int | None = None,
    belongs: Callable[[bytes], bool] = lambda _key: True,
    trust: Trust | None = None,
) -> Story:
    """Return the story of ``key`` from the records of its partition, up to broker time ``until`` (milliseconds)."""
    teller = Teller(key, Roll(partition, rules, belongs, trust), until)
    for record in records:
        if not teller.take(record):
            break
    return teller.story()


class Teller:
    """Takes the records of one partition in order; what it keeps beside the roll grows with the changes alone."""

    def __init__(self, key: bytes, roll: Roll, until: int | None = None) -> None:
        """``roll`` is one that has folded nothing; nothing after ``until`` (broker time, milliseconds) is taken."""
        self.key = key
        self.roll = roll
        self._until = until
        self._start: Place | None = None
        self._end: tuple[int, int] | None = None
        self._beginning = Beginning(roll)
        self._sessions: list[Session] = []
        self._telling: list[Change | Stretch] = []
        self._between = Between()
        self._others: list[Appended] = []
        self._heard = False
        self._missed = Windows()

    def take(self, record: Appended) -> bool:
        """Take the next record; False once the end of what is wanted was reached, and nothing was taken."""
        if self._start is None:
            self._start = Place(record.offset, record.timestamp, 0)
            self._beginning.begin(record)
        if self._until is not None and record.timestamp > self._until:
            return False
        self._end = (record.offset, record.timestamp)
        if self._beginning.awaited:
            for waiting in self._beginning.wait(record):
                self._fold(waiting)
        else:
            self._fold(record)
        return True

    def story(self) -> Story:
        """Return what was told so far; nothing is to be taken after it."""
        for waiting in self._beginning.release():
            self._fold(waiting)
        self._fold_others()
        stretch = self._between.stretch()
        roll, start, end = self.roll, self._start, self._end
        return Story(
            key=self.key,
            partition=roll.state.partition,
            rules=roll.rules,
            start=start,
            reached=Place(*end, roll.window) if end is not None else None,
            whole=self._beginning.whole,
            sessions=tuple(self._sessions),
            telling=(*self._telling, stretch) if stretch is not None else tuple(self._telling),
            row=roll.rows.get(self.key),
            missing=str(self._missed) if _connected(roll.rows.get(self.key)) else "",
            braked=roll.braked,
        )

    # -- the fold, observed ------------------------------------------------------------------------------------------

    def _fold(self, record: Appended) -> None:
        if record.key not in (self.key, CONTROL_KEY):
            self._others.append(record)
            if len(self._others) >= _AT_ONCE:
                self._fold_others()
            return
        self._fold_others()
        if record.key == self.key:
            self._own(record)
        else:
            self._control(record)

    def _fold_others(self) -> None:
        """Fold what agents of other workloads said: it is nothing of this story, but the brake counts them."""
        for _ in self.roll.fold_all(self._others):
            pass
        self._others.clear()

    def _own(self, record: Appended) -> None:
        if record.offset < self.roll.position:
            return
        before = self.roll.rows.get(self.key)
        at = Place(record.offset, record.timestamp, self.roll.window)
        event = decode_event(record.key, record.value)
        effects = self.roll.fold(record)
        after = self.roll.rows.get(self.key)
        if isinstance(event, Rejection) or any(isinstance(effect, Ignored | Reject) for effect in effects):
            name = session_name(event, {session.id: session.number for session in self._sessions[-_NAMED:]})
            for effect in effects:
                self._between.at(at).notes.refused(at, event, effect, name, unknowable=not self._beginning.whole)
            return
        self._heard = True
        self._missed = Windows()
        if after is None or after is before:
            self._between.at(at).accepted += 1
        else:
            self._told(at, event, before, after)

    def _told(self, at: Place, event: Event, before: WorkloadRow | None, after: WorkloadRow) -> None:
        """Tell a change that an event of the workload brought."""
        introduction = after.introduction()
        if before is None or before.session != after.session:
            number = self._sessions[-1].number + 1 if self._sessions else 1
            self._end_session(at, f"superseded by session {number}")
            self._sessions.append(Session(number, after.session, at, introduction))
            why = words.joined(event, number, introduction, before, hidden=not self._beginning.whole)
        else:
            self._sessions[-1] = replace(self._sessions[-1], introduction=introduction)
            why = words.heard(event, before, introduction)
        if after.closed:
            self._end_session(at, "said goodbye")
        self._change(at, event.type, before, after, why)

    def _control(self, record: Appended) -> None:
        event = decode_event(record.key, record.value)
        if isinstance(event, Tick):
            self._beginning.correct(event)
        before, state = self.roll.rows.get(self.key), self.roll.state
        at = Place(record.offset, record.timestamp, self.roll.window)
        void = self.roll.void or state.opened is None or record.timestamp < state.opened
        effects = self.roll.fold(record)
        if before is not None:
            self._noticed(at, words.record_type(event), effects)
        if self.roll.state is state:
            return
        self._beginning.closed()
        if before is not None:
            self._closed(at, before, void=void)
        self._heard = False

    def _noticed(self, at: Place, what: str, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Notice):
                self._between.at(at).notes.notice(at, what, effect)

    def _closed(self, at: Place, before: WorkloadRow, *, void: bool) -> None:
        """Tell of a window that a tick closed, and of what it decided."""
        after = self.roll.rows.get(self.key)
        mark = self._mark(before, void=void)
        if mark in {Mark.MISSED, Mark.BRAKED} and before.presence is Presence.CONNECTED:
            self._missed.add(at.window)
        self._between.at(at).strip.add(at.window, mark)
        if after is before:
            return
        if after is not None and after.presence is Presence.REMOVED:
            self._end_session(at, "removed")
        self._change(at, "tick", before, after, words.judged(before, after, self._missed, self.roll.rules))

    def _mark(self, before: WorkloadRow, *, void: bool) -> Mark:
        if self._heard:
            return Mark.HEARD
        if void:
            return Mark.VOID
        if self.roll.braked:
            return Mark.BRAKED
        return Mark.MISSED if before.presence in {Presence.CONNECTED, Presence.UNKNOWN} else Mark.AWAY

    # -- the telling -------------------------------------------------------------------------------------------------

    def _change(self, at: Place, by: str, before: WorkloadRow | None, after: WorkloadRow | None, why: str) -> None:
        stretch = self._between.stretch()
        if stretch is not None:
            self._telling.append(stretch)
        self._between = Between()
        presence = before.presence if before is not None else None
        self._telling.append(Change(at, by, self._sessions[-1].number, presence, after, why))

    def _end_session(self, at: Place, how: str) -> None:
        if self._sessions and self._sessions[-1].ended is None:
            self._sessions[-1] = replace(self._sessions[-1], ended=at, how=how)


def _connected(row: WorkloadRow | None) -> bool:
    return row is not None and row.presence is Presence.CONNECTED
