"""The columns of transitions: as wide as may be in a pipe, fitted to a terminal whose lines are not so long."""

from typing import NamedTuple

from services.cli.table import shortened

HEAD = ("TIME", "PLACE", "NAMESPACE", "WORKLOAD", "FROM", "TO", "REASON")
WIDTHS = (24, 8, 10, 64, 9, 10, 26)
_WORKLOAD, _REASON = HEAD.index("WORKLOAD"), HEAD.index("REASON")
_GAP = 2
_LEAST_NAME, _LEAST_REASON = 20, 18
"""Narrower ones say nothing: the reason is left out before a name or a verdict is."""


class Columns(NamedTuple):
    """Widths of the columns; a reason of 0 is not shown."""

    widths: tuple[int, ...] = WIDTHS
    fitted: bool = False

    def cells(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        """Return what is shown of a row's cells; names lose their middle, what comes last its end."""
        if not self.fitted:
            return cells
        *others, reason = cells
        others[_WORKLOAD] = shortened(others[_WORKLOAD], self.widths[_WORKLOAD])
        if len(self.widths) == _REASON:
            return tuple(others)
        most = self.widths[_REASON]
        return (*others, reason if len(reason) <= most else f"{reason[: most - 1]}…")


def fitted(width: int) -> Columns:
    """Return the columns for lines of ``width``, as far as shortening names and leaving out reasons can do it."""
    others = sum(WIDTHS) - WIDTHS[_WORKLOAD] - WIDTHS[_REASON] + _GAP * (len(WIDTHS) - 1)
    room = width - others
    if room >= _LEAST_NAME + _LEAST_REASON:
        name = min(WIDTHS[_WORKLOAD], max(_LEAST_NAME, room - WIDTHS[_REASON]))
        return Columns((*WIDTHS[:_WORKLOAD], name, *WIDTHS[_WORKLOAD + 1 : _REASON], room - name), fitted=True)
    name = max(len(HEAD[_WORKLOAD]), room + _GAP)
    return Columns((*WIDTHS[:_WORKLOAD], name, *WIDTHS[_WORKLOAD + 1 : _REASON]), fitted=True)
