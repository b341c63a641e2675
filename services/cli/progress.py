"""A bar with the time left, for whatever takes longer than two seconds; only where somebody watches."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress

AFTER_S = 2.0


class Meter:
    """Shows how far something is; nothing at all where stderr is no terminal."""

    def __init__(self, what: str, after_s: float = AFTER_S) -> None:
        self._what = what
        self._after_s = after_s
        self._begun = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()

    def hide(self) -> None:
        """Make room for a line on the same terminal; the bar comes back with the next call."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int | None) -> None:
        """Show that ``done`` of ``total`` are behind us; None: nobody knows of how many."""
        if not sys.stderr.isatty() or time.monotonic() - self._begun < self._after_s:
            return
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

        if self._bar is None:
            columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._what, total=total)
        self._bar.start()
        self._bar.update(self._task, completed=done)
