"""Whether a log was written by the rules that it is folded by, as far as its ticks show.

An owner paces its ticks by ``window_ms`` (``services.processor.core.pacer``): never sooner, though it may try one
again, and later only where it or the broker is slow. Where one owner's ticks keep coming too soon, or never came in
time, the fold is by other rules than the processor's.
"""

from dataclasses import dataclass, field

from schemas.codec import decode_event
from schemas.events import Tick
from services.processor.core.record import Appended

SOON, LATE = 0.55, 1.5
"""Shares of a window between which ticks follow each other."""
OFTEN_SOON, OFTEN_LATE = 3, 5
"""So many in succession are no accident, such as a clock that was set back, or a beginning on a busy machine."""
OWNERS = 8
"""As many are remembered: of more, one is at work."""


@dataclass(slots=True)
class _Pace:
    """How the ticks of one owner came of late."""

    window: int
    last_ms: int
    soon: int = 0
    late: int = 0
    timely: bool = False
    """One came when it should: whatever is late after it is slow, and of these rules all the same."""


@dataclass(slots=True)
class Fit:
    """Compares the ticks of one partition with the length of a window."""

    window_ms: int
    told: bool = False
    """It was said once that they do not fit."""
    _paces: dict[str, _Pace] = field(default_factory=dict)

    def take(self, record: Appended) -> str | None:
        """Look at a record of the control key; return why the rules cannot be those of the log, the first time."""
        event = decode_event(record.key, record.value)
        if self.told or not isinstance(event, Tick):
            return None
        pace = self._paces.setdefault(event.owner, _Pace(event.window, record.timestamp))
        if event.window <= pace.window:
            return None  # the first, or one again: its owner did not hear that it was appended, or it was copied
        if len(self._paces) > OWNERS:
            self._paces.pop(next(iter(self._paces)))
        apart = record.timestamp - pace.last_ms
        pace.window, pace.last_ms = event.window, record.timestamp
        pace.soon = pace.soon + 1 if apart < SOON * self.window_ms else 0
        pace.late = pace.late + 1 if apart > LATE * self.window_ms else 0
        pace.timely = pace.timely or not (pace.soon or pace.late)
        self.told = pace.soon >= OFTEN_SOON or (pace.late >= OFTEN_LATE and not pace.timely)
        if not self.told:
            return None
        return (
            f"up to offset {record.offset} its ticks were {apart / 1000:g} s apart, {max(pace.soon, pace.late)} times "
            f"in succession, and by the rules that it is folded by a window has {self.window_ms / 1000:g} s: they are "
            "hardly the processor's. Give its --config, or --set rules.window_ms=…"
        )
