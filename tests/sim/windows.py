"""Which windows the log of a partition closed, and which of them count: from its ticks alone (DESIGN.md, rule 2)."""

from bisect import bisect_right

from schemas.events import Event, Resumed, Tick
from tests.sim.log import Rec
from tests.sim.processors import RULES


class Windows:
    """The windows of one partition, told record by record."""

    def __init__(self) -> None:
        self.window = 0
        self.void: set[int] = set()
        """Offsets of the ticks that closed a window which decides nothing."""
        self._opened: int | None = None
        self._resumed = False
        self._ends: list[int] = []
        """Offsets of the ticks that closed a window."""
        self._counted: list[int] = []
        """How many of the windows so far count."""

    def take(self, record: Rec, event: Event) -> None:
        """Take a record of the control key."""
        self._resumed = self._resumed or isinstance(event, Resumed)
        if not isinstance(event, Tick) or event.window != self.window:
            return
        passed = None if self._opened is None else record.timestamp - self._opened
        if passed is not None and 0 <= passed * 2 < RULES.window_ms:
            return
        if void := self._resumed or passed is None or passed < 0:
            self.void.add(record.offset)
        self._ends.append(record.offset)
        self._counted.append((self._counted[-1] if self._counted else 0) + (not void))
        self.window, self._opened, self._resumed = self.window + 1, record.timestamp, False

    def missed(self, heard: int, until: int) -> int:
        """Return how many windows that count lie after the one in which ``heard`` stands, closed up to ``until``."""
        own, last = bisect_right(self._ends, heard), bisect_right(self._ends, until) - 1
        return self._counted[last] - self._counted[own] if own < last else 0
