"""What closing a window costs the fold, by how many workloads a partition has: in this process, without a broker."""

import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from schemas.events import Tick
from schemas.names import CONTROL_KEY
from services.cli.bench.load import Speaker
from services.identity.given import GivenBundles
from services.processor.core.record import Record
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules

SIZES = (1_000, 3_000, 10_000)
TIMES = 3
"""Windows of each sort; the least counts, as what else the machine does only adds to it."""


class TickCost(NamedTuple):
    """CPU milliseconds of a tick in a partition of so many workloads."""

    workloads: int
    there: float
    """All are there."""
    calling: float
    """A tenth is called absent by it."""
    absent: float
    """A tenth is absent, within its grace, and counted by the brake (ADR 0013)."""
    braked: float
    """Nobody is heard, and the brake holds."""


class Windows:
    """A partition whose windows are closed by hand."""

    def __init__(self, size: int) -> None:
        self.speakers = [Speaker(number, None) for number in range(size)]
        self.roll = Roll(0, Rules(), trust=GivenBundles([]))
        self._owner, self._began = str(uuid.uuid4()), datetime.now(UTC)
        self._at_ms = int(self._began.timestamp() * 1000)
        self._offset = self._window = 0
        self._close([(one.key, one.connect(self._began)) for one in self.speakers])

    def close(self, heard: Sequence[Speaker]) -> float:
        """Let these be heard once in a window; return the CPU milliseconds of the tick that closes it."""
        return self._close([(one.key, one.heartbeat(self._began)) for one in heard])

    def _close(self, events: Sequence[tuple[bytes, bytes]]) -> float:
        for key, value in events:
            self._fold(key, value)
        self._at_ms += self.roll.rules.window_ms
        tick = Tick(window=self._window, owner=self._owner).to_json()
        self._window += 1
        began = time.process_time()
        self._fold(CONTROL_KEY, tick)
        return (time.process_time() - began) * 1000

    def _fold(self, key: bytes, value: bytes) -> None:
        self.roll.fold(Record(self._offset, self._at_ms, key, value))
        self._offset += 1


def measure(sizes: Sequence[int] = SIZES) -> list[TickCost]:
    """Return what a tick costs at each size."""
    return [_cost(size) for size in sizes]


def _cost(size: int) -> TickCost:
    runs = [_windows(Windows(size)) for _ in range(TIMES)]
    return TickCost(size, *(min(ticks) for ticks in zip(*runs, strict=True)))


def _windows(windows: Windows) -> tuple[float, float, float, float]:
    """Let a tenth die, and then everybody; return what the ticks cost that ``TickCost`` names."""
    everybody, missed = windows.speakers, windows.roll.rules.missed_windows
    rest = everybody[len(everybody) // 10 :]
    there = windows.close(everybody)
    *_, calling = (windows.close(rest) for _ in range(missed))
    absent = windows.close(rest)
    for _ in range(missed):
        windows.close(())
    return there, calling, absent, windows.close(())
