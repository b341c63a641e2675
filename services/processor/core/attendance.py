"""Who was there, window by window: the attendance sheet and what is left of the one before.

Between two ticks every connected workload stands in exactly one place: on the open ``sheet``, on the ``last``
one, among the ``missed``, or among the ``unknown``. A heartbeat that changes nothing touches the sheet alone.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Attendance:
    """Attendance of one partition; the values of ``sheet`` and ``last`` are the highest seq seen."""

    sheet: dict[bytes, int] = field(default_factory=dict)
    last: dict[bytes, int] = field(default_factory=dict)
    missed: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """How many windows a connected workload missed, and its highest seq."""
    unknown: set[bytes] = field(default_factory=set)
    """Those the brake keeps from being marked absent."""

    def highest(self, key: bytes) -> int | None:
        """Return the highest seq of the current session that this roll remembers, if any."""
        seq = self.sheet.get(key)
        if seq is None:
            seq = self.last.get(key)
        if seq is None and (missed := self.missed.get(key)):
            seq = missed[1]
        return seq

    def enter(self, key: bytes, seq: int) -> None:
        """Put a workload on the open sheet, and nowhere else."""
        self.leave(key)
        self.sheet[key] = seq

    def leave(self, key: bytes) -> None:
        """Forget a workload that is no longer connected."""
        self.sheet.pop(key, None)
        self.last.pop(key, None)
        self.missed.pop(key, None)
        self.unknown.discard(key)

    def expected(self) -> set[bytes]:
        """Return who is connected or kept unknown by the brake."""
        return self.last.keys() | self.missed.keys() | self.sheet.keys() | self.unknown

    def silent(self) -> list[tuple[bytes, int, int]]:
        """Return (key, windows missed before this one, highest seq) of all who are not on the open sheet.

        Sorted, so that effects come in the same order on every machine.
        """
        keys = sorted((self.last.keys() | self.missed.keys()) - self.sheet.keys())
        return [(key, *(self.missed.get(key) or (0, self.last[key]))) for key in keys]

    def close(self, missed: dict[bytes, tuple[int, int]]) -> None:
        """Close the sheet: ``missed`` are the connected ones that were not on it."""
        self.last, self.sheet, self.missed = self.sheet, {}, missed
