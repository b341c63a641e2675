"""When the owner of a partition appends what, so that time passes there: ``Resumed`` first, then a tick per window.

Before all that, and whenever it changes, it names the trust bundle by which it verifies (ADR 0010).

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


@dataclass(slots=True)
class Pacer:
    """What one owner appended to one partition; at most one record of it is under way at any time.

    No tick is appended before the owner's own ``Resumed`` was folded: until then it does not know which window is
    open at the end of the log, and a tick that names another one would be ignored.
    """

    window_ms: int
    trusted: str | None = None
    """Digest of the trust bundle it named last."""
    resumed: int | None = None
    """Offset of the ``Resumed``."""
    tick: tuple[int, int] | None = None
    """Window and offset of the newest tick."""
    under_way: Append | None = field(default=None)
    not_before: float = 0
    """Milliseconds of the clock that ``due`` is given."""

    def due(self, now_ms: float, window: int, position: int, bundle: str | None = None) -> Append | None:
        """Return what to append now, and take it as under way; ``window`` and ``position`` are the roll's.

        ``bundle`` is the digest of the trust bundle now in force, None where nothing is verified.
        """
        if self.under_way is not None or now_ms < self.not_before:
            return None
        if bundle is not None and bundle != self.trusted:
            self.under_way = AppendTrusted(bundle)
        elif self.resumed is None:
            self.under_way = AppendResumed()
        elif position > self.resumed:
            self.under_way = AppendTick(self._name(window, position))
        return self.under_way

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
                self.trusted = bundle
                self.under_way = None
                return
            case AppendResumed():
                self.resumed = offset
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
