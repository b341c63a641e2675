"""The beginning of a log whose first records are gone: in which window its first records lie.

Its one rule: the number of the open window is taken from the ticks, as soon as one is there. The first may be a stray
that the owner ignored: one ahead of it corrects it, until two in succession agree.
"""

from collections.abc import Sequence
from dataclasses import replace

from schemas.codec import decode_event
from schemas.events import Tick
from schemas.names import CONTROL_KEY
from services.processor.core.record import Appended
from services.processor.core.roll import Roll

_AGREED = 2


class Beginning:
    """Holds the first records, one window of them at most, until a tick names their window."""

    def __init__(self, roll: Roll) -> None:
        """``roll`` is one that has folded nothing."""
        self._roll = roll
        self._waiting: list[Appended] = []
        self._agreed = _AGREED
        self.whole = True
        """The log begins at its first record ever."""
        self.awaited = False
        """No tick was seen yet."""

    def begin(self, first: Appended) -> None:
        """Look at the first record of the log."""
        self.whole = first.offset == 0
        self.awaited = not self.whole
        self._agreed = _AGREED if self.whole else 0

    def wait(self, record: Appended) -> Sequence[Appended]:
        """Hold a record; return all that were held once a tick is among them."""
        self._waiting.append(record)
        event = decode_event(record.key, record.value) if record.key == CONTROL_KEY else None
        if not isinstance(event, Tick):
            return ()
        self._count_from(event)
        return self.release()

    def release(self) -> Sequence[Appended]:
        """Return what was held."""
        self.awaited = False
        held, self._waiting = self._waiting, []
        return held

    def correct(self, tick: Tick) -> None:
        """Count on from a tick that names a window ahead, while the count is not sure."""
        if self._agreed < _AGREED and tick.window > self._roll.window:
            self._agreed = 0
            self._count_from(tick)

    def closed(self) -> None:
        """Note that a tick was accepted."""
        self._agreed += 1

    def _count_from(self, tick: Tick) -> None:
        self._roll.state = replace(self._roll.state, window=tick.window, opened=None)
