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
WINDOWS = 3


class TickCost(NamedTuple):
    """CPU milliseconds of a tick in a partition of so many workloads that are all there."""

    workloads: int
    milliseconds: float


def measure(sizes: Sequence[int] = SIZES) -> list[TickCost]:
    """Return the least of a few windows for each size."""
    return [TickCost(size, _tick(size) * 1000) for size in sizes]


def _tick(size: int) -> float:
    rules = Rules()
    roll, owner, now = Roll(0, rules, trust=GivenBundles([])), str(uuid.uuid4()), datetime.now(UTC)
    speakers = [Speaker(number, None) for number in range(size)]
    at_ms, offset, least = int(now.timestamp() * 1000), 0, float("inf")
    for window in range(WINDOWS + 1):
        events = [(one.key, one.heartbeat(now) if window else one.connect(now)) for one in speakers]
        for key, value in events:
            roll.fold(Record(offset, at_ms, key, value))
            offset += 1
        at_ms += rules.window_ms
        tick = Record(offset, at_ms, CONTROL_KEY, Tick(window=window, owner=owner).to_json())
        began = time.process_time()
        roll.fold(tick)
        if window:
            least = min(least, time.process_time() - began)
        offset += 1
    return least
