"""When the owner of a partition appends what, so that time passes there: ``Resumed`` first, then a tick per window.

Before all that, and whenever it changes or the log names another one, it names the trust bundle by which it verifies
(ADR 0010). What it appended may not count, where it is signed (ADR 0014): it looks, and says it again.

Time is handed in as a value and only paces; what a tick does is decided by the log alone (DESIGN.md, rule 2).
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class AppendResumed(NamedTuple):
    """Say that a new owner took the partition."""


class AppendTrusted(NamedTuple):
    """Name the trust bundle by which identities are verified from here on."""

    bundle: str


class AppendTick(NamedTuple):
    """Close a window."""

    window: int


Append = AppendTrusted | AppendResumed | AppendTick


class Seen(NamedTuple):
    """What the roll has folded so far."""

    window: int
    position: int
    resumed: int = -1
    """Offset of the newest takeover that counted."""
    named: str | None = None
    """Digest of the trust bundle that was named last."""


@dataclass(slots=True)
class Pacer:
    """What one owner appended to one partition; at most one record of it is under way at any time.

    No tick is appended before the owner's own ``Resumed`` was folded: until then it does not know which window is
    open at the end of the log, and a tick that names another one would be ignored.
    """

    window_ms: int
    trusted: tuple[str, int] | None = None
    """Digest of the trust bundle it named last, and at which offset."""
    resumed: int | None = None
    """Offset of the ``Resumed``."""
    counted: bool = False
    """That was seen to count."""
    tick: tuple[int, int] | None = None
    """Window and offset of the newest tick."""
    under_way: Append | None = field(default=None)
    not_before: float = 0
    """Milliseconds of the clock that ``due`` is given."""
    named_again: float = 0
    """Not before this is the bundle named again, where the log says otherwise: once a window."""

    def due(self, now_ms: float, seen: Seen, bundle: str | None = None) -> Append | None:
        """Return what to append now, and take it as under way.

        ``bundle`` is the digest of the trust bundle by which to verify, None where nothing is verified.
        """
        if self.under_way is not None or now_ms < self.not_before:
            return None
        if self.resumed is not None and not self.counted and seen.position > self.resumed:
            self.counted = seen.resumed >= self.resumed
            self.resumed = self.resumed if self.counted else None
        if bundle is not None and self._to_name(now_ms, seen, bundle):
            self.under_way = AppendTrusted(bundle)
        elif self.resumed is None:
            self.under_way = AppendResumed()
        elif self.counted:
            self.under_way = AppendTick(self._name(seen.window, seen.position))
        return self.under_way

    def _to_name(self, now_ms: float, seen: Seen, bundle: str) -> bool:
        """Tell whether the log is to be told of the bundle: it is another one, or somebody named another since."""
        if self.trusted is None or self.trusted[0] != bundle:
            return True
        return seen.position > self.trusted[1] and seen.named != bundle and now_ms >= self.named_again

    def _name(self, window: int, position: int) -> int:
        """Return the window that will be open where the next tick lands.

        An owner that lags has not folded its own last tick yet: it counts on from it, or time would stand still.
        """
        if self.tick is not None and position <= self.tick[1]:
            return self.tick[0] + 1
        return window

    def appended(self, now_ms: float, offset: int) -> None:
        """Take note that what was under way stands at ``offset`` of the log."""
        match self.under_way:
            case AppendTrusted(bundle):
                self.trusted = (bundle, offset)
                self.named_again = now_ms + self.window_ms
                self.under_way = None
                return
            case AppendResumed():
                self.resumed, self.counted = offset, False
            case AppendTick(window):
                self.tick = (window, offset)
            case None:
                return
        self.under_way = None
        self.not_before = now_ms + self.window_ms

    def failed(self, now_ms: float) -> None:
        """Take note that it could not be appended: no time passed, and it is due again shortly."""
        self.under_way = None
        self.not_before = now_ms + self.window_ms / 10
