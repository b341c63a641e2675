"""Tables as kubectl prints them: upper-case heads, left-aligned, three spaces between, no borders."""

from collections.abc import Sequence
from datetime import timedelta

GAP = "   "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; the last column is not padded."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [row(line, widths) for line in lines]


def row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line in columns of ``widths``."""
    return GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def fitting(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, column: int = 1) -> list[str]:
    """Return a table in lines of ``width`` where shortening ``column`` can do it."""
    lines = table(head, rows)
    excess = max(map(len, lines)) - width
    if excess <= 0:
        return lines
    room = max(len(head[column]), max(len(cells[column]) for cells in rows) - excess) if rows else 0
    return table(head, [[*cells[:column], shortened(cells[column], room), *cells[column + 1 :]] for cells in rows])


def shortened(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` characters, its middle left out: names of workloads differ at their ends."""
    if len(text) <= width:
        return text
    tail = max(width - 1, 0) * 2 // 3
    return f"{text[: max(width - 1 - tail, 0)]}…{text[len(text) - tail :]}"


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
_STEPS = (
    # below so many seconds, in this unit, and its rest in that one
    (2 * _MINUTE, (1, "s"), None),
    (10 * _MINUTE, (_MINUTE, "m"), (1, "s")),
    (3 * _HOUR, (_MINUTE, "m"), None),
    (8 * _HOUR, (_HOUR, "h"), (_MINUTE, "m")),
    (2 * _DAY, (_HOUR, "h"), None),
    (8 * _DAY, (_DAY, "d"), (_HOUR, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
)


def age(duration: timedelta) -> str:
    """Return a duration as kubectl shortens it: ``45s``, ``3m5s``, ``12m``, ``5h3m``, ``30h``, ``2d5h``, ``9d``.

    The steps are those of ``k8s.io/apimachinery/pkg/util/duration.HumanDuration``.
    """
    seconds = int(duration.total_seconds())
    if seconds < 0:
        # kubectl forgives what lies within the clocks' rounding.
        return "0s" if seconds >= -1 else "<invalid>"
    for below, (length, unit), rest in _STEPS:
        if seconds < below:
            part = seconds % length // rest[0] if rest else 0
            return f"{seconds // length}{unit}" + (f"{part}{rest[1]}" if rest and part else "")
    return f"{seconds // _YEAR}y"
