"""What a replay keeps in memory: measured of the fold alone, by Python's own account of every object."""

import gc
import time
import tracemalloc
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from schemas.events import Tick, Trusted
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from services.cli.bench.load import Speaker
from services.identity.given import GivenBundles
from services.identity.issuing import Mint
from services.processor.core.record import Record
from services.processor.core.rules import Rules
from services.replay.chunks import Chunk
from services.replay.refold import Refold

OWNER = "00000000-0000-0000-0000-000000000000"
EARLY, LATE = 3, 30
"""Windows after which it is looked at: by the first all that a workload has was made once."""


class Kept(NamedTuple):
    """Bytes for each workload, and by how many that grew for each heartbeat from the early look to the late one."""

    per_workload: float
    per_heartbeat: float


class _Fold:
    """A fold of a log that nobody keeps."""

    def __init__(self, mint: Mint | None) -> None:
        trust = GivenBundles([mint.bundle()]) if mint is not None else None
        self._refold = Refold(Rules(), None, (), trust)
        self._offset = 0
        self._now = int(time.time() * 1000)

    def take(self, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Fold messages of this moment."""
        records = []
        for key, value in messages:
            # A key of its own for each record, as Kafka's client makes them.
            records.append(Record(self._offset, self._now, bytes(bytearray(key)), value))
            self._offset += 1
        for _ in self._refold.take(Chunk(EVENTS, 0, records)):
            pass

    def tick(self, window: int) -> None:
        """Let a window pass."""
        self._now += 10_000
        self.take([(CONTROL_KEY, Tick(window=window, owner=OWNER).to_json())])


def measure(folder: Path, workloads: int, *, proven: bool) -> Kept:
    """Fold a log of so many workloads, and return what is kept of it."""
    mint = Mint(folder) if proven else None
    now = datetime.now(UTC)
    fold, speakers = _Fold(mint), [Speaker(number, mint) for number in range(workloads)]
    connects = [(one.key, one.connect(now)) for one in speakers]
    beats = [[(one.key, one.heartbeat(now)) for one in speakers] for _ in range(LATE)]
    if mint is not None:
        fold.take([(CONTROL_KEY, Trusted(bundle=mint.bundle().digest, owner=OWNER).to_json())])
    tracemalloc.start()
    try:
        before = _traced()
        fold.take(connects)
        looks = {}
        for window, messages in enumerate(beats, 1):
            fold.take(messages)
            fold.tick(window - 1)
            if window in {EARLY, LATE}:
                looks[window] = _traced() - before
    finally:
        tracemalloc.stop()
    grown = (looks[LATE] - looks[EARLY]) / (workloads * (LATE - EARLY))
    return Kept(looks[LATE] / workloads, grown)


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
