"""The windows of one workload as a picture: a mark per window, long runs shortened, long pictures cut in the middle.

Its one rule: it takes as much memory for a week as for an hour.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

HEAD_RUNS = 8
TAIL_RUNS = 16
"""So many runs of like windows are kept of the beginning and of the end of a picture; between them, counts."""
DRAWN = 8
"""A longer run is drawn as one mark and a count."""


class Mark(StrEnum):
    """What one window was for a workload."""

    HEARD = "▇"
    MISSED = "▁"
    VOID = "○"
    BRAKED = "╳"
    AWAY = "·"


MEANING = {
    Mark.HEARD: "heard",
    Mark.MISSED: "missed",
    Mark.VOID: "void: nobody is missed",
    Mark.BRAKED: "silent under the brake",
    Mark.AWAY: "absent or removed",
}
"""The legend."""


class Run(NamedTuple):
    """Successive windows with one mark."""

    mark: Mark
    length: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Windows ``first`` to ``last``; where ``left_out`` has any, they lie between ``head`` and ``tail``."""

    first: int
    last: int
    head: tuple[Run, ...]
    left_out: tuple[Run, ...] = ()
    tail: tuple[Run, ...] = ()

    @property
    def marks(self) -> set[Mark]:
        """The marks that are drawn."""
        return {run.mark for run in (*self.head, *self.left_out, *self.tail)}

    def drawn(self) -> str:
        """Return ``▇▇▇▁▁▁``, ``▇×40 ▁▁▁`` where runs are long, ``▇▁… (▇×900 ▁×850) …▇▁`` where there are many."""
        if not self.left_out:
            return _drawn((*self.head, *self.tail))
        between = " ".join(f"{run.mark}×{run.length}" for run in self.left_out)
        return f"{_drawn(self.head)}… ({between}) …{_drawn(self.tail)}"


def _drawn(runs: tuple[Run, ...]) -> str:
    parts = [f"{run.mark}×{run.length} " if run.length > DRAWN else run.mark * run.length for run in runs]
    return "".join(parts).strip()


@dataclass(slots=True)
class Strip:
    """A picture in the making."""

    first: int = -1
    last: int = -1
    _head: list[Run] = field(default_factory=list)
    _left_out: Counter[Mark] = field(default_factory=Counter)
    _tail: deque[Run] = field(default_factory=deque)

    def add(self, window: int, mark: Mark) -> None:
        """Add the next window."""
        if self.first < 0:
            self.first = window
        self.last = window
        runs: list[Run] | deque[Run] = self._tail or self._head
        if runs and runs[-1].mark is mark:
            runs[-1] = Run(mark, runs[-1].length + 1)
        elif len(self._head) < HEAD_RUNS:
            self._head.append(Run(mark, 1))
        else:
            self._tail.append(Run(mark, 1))
            if len(self._tail) > TAIL_RUNS:
                gone = self._tail.popleft()
                self._left_out[gone.mark] += gone.length

    def picture(self) -> Picture | None:
        """Return the picture so far; None without any window."""
        if self.first < 0:
            return None
        left_out = tuple(Run(mark, self._left_out[mark]) for mark in Mark if self._left_out[mark])
        return Picture(self.first, self.last, tuple(self._head), left_out, tuple(self._tail))


@dataclass(slots=True)
class Windows:
    """A set of windows, added in order: ``41–43, 45``."""

    spans: list[tuple[int, int]] = field(default_factory=list)

    def add(self, window: int) -> None:
        """Add a window above all others."""
        if self.spans and self.spans[-1][1] == window - 1:
            self.spans[-1] = (self.spans[-1][0], window)
        else:
            self.spans.append((window, window))

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)

    def __str__(self) -> str:
        return ", ".join(span(first, last) for first, last in self.spans)


def span(first: int, last: int) -> str:
    """Return ``41–43``, or ``41`` where both are one."""
    return f"{first}" if first == last else f"{first}–{last}"
