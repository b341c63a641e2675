"""Windows of another length, recomputed from the times of the records (ADR 0008).

Its one rule: time passes only where somebody called the roll. Between two recorded ticks that lie at most one and a
half recorded windows apart, recomputed ticks follow each other at the wanted distance; a longer interval had nobody to
call it, and stays one window. The ticks that were recorded are left out.
"""

from collections.abc import Iterator, Sequence

from schemas.codec import decode_event
from schemas.events import Tick
from schemas.names import CONTROL_KEY
from services.processor.core.record import Appended, Record

OWNER = "00000000-0000-0000-0000-000000000000"
_ROOM = 24
"""Bits of an offset: so many ticks may come to stand before one record."""


def real(offset: int) -> int:
    """Return the offset in the log of what stands at a recomputed one; of a tick, that of the record behind it."""
    return offset >> _ROOM


class Rewindow:
    """Recomputes the ticks of one partition; keeps the records of the open interval, one and a half windows at most."""

    def __init__(self, recorded_ms: int, wanted_ms: int, window: int = 0, opened: int | None = None) -> None:
        """``window`` is the number of the open window; ``opened`` the broker time of the tick before it, if any."""
        self._recorded_ms = recorded_ms
        self._wanted_ms = wanted_ms
        self._window = window
        self._opened = opened
        """Time of the newest recomputed tick."""
        self._last = opened
        """Time of the newest recorded tick that counted, and the window that it closed."""
        self._closed = window - 1
        self._waiting: list[Appended] = []
        self._alone = False
        """Nobody calls the roll, as far as can be seen."""
        self._placed = (-1, 0)

    def take(self, records: Sequence[Appended]) -> Iterator[Record]:
        """Yield the records and the recomputed ticks, in order, as soon as it is known what lies before them."""
        for record in records:
            tick = decode_event(record.key, record.value) if record.key == CONTROL_KEY else None
            if isinstance(tick, Tick):
                yield from self._ticked(record, tick)
                continue
            if self._last is not None and record.timestamp - self._last > self._longest:
                self._alone = True
            self._waiting.append(record)
            if self._alone or self._last is None:
                yield from self.end()

    def end(self) -> Iterator[Record]:
        """Yield what was kept: the open window has no end."""
        for record in self._waiting:
            yield self._kept(record)
        self._waiting.clear()

    def gap(self) -> Iterator[Record]:
        """Take note that records are missing; yield what was kept."""
        yield from self.end()
        self._window += 1  # a number ahead of the roll's tells it that windows are missing
        self._last = self._opened = None

    @property
    def _longest(self) -> int:
        return self._recorded_ms * 3 // 2

    def _ticked(self, record: Appended, tick: Tick) -> Iterator[Record]:
        last, now = self._last, record.timestamp
        if last is not None and (tick.window <= self._closed or 0 <= (now - last) * 2 < self._recorded_ms):
            return  # ignored when it was recorded
        called = last is not None and 0 <= now - last <= self._longest and not self._alone
        if called:
            yield from self._regular(record)
        yield from self.end()
        opened = self._opened
        if not called and (opened is None or now < opened or (now - opened) * 2 >= self._wanted_ms):
            yield self._tick(record.offset, now)
        self._last, self._closed, self._alone = now, tick.window, False

    def _regular(self, record: Appended) -> Iterator[Record]:
        """Yield what was kept among the ticks that belong there, up to a recorded tick."""
        waiting, self._waiting = self._waiting, []
        for one in (*waiting, record):
            while self._opened is not None and self._opened + self._wanted_ms <= one.timestamp:
                yield self._tick(one.offset, self._opened + self._wanted_ms)
            if one is not record:
                yield self._kept(one)

    def _tick(self, before: int, time_ms: int) -> Record:
        tick = Tick(window=self._window, owner=OWNER)
        self._window += 1
        self._opened = time_ms
        offset, count = self._placed
        self._placed = (before, count + 1 if offset == before else 0)
        return Record((before << _ROOM) + self._placed[1], time_ms, CONTROL_KEY, tick.to_json())

    @staticmethod
    def _kept(record: Appended) -> Record:
        return Record(((record.offset + 1) << _ROOM) - 1, record.timestamp, record.key, record.value)
