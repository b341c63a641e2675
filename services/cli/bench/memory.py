"""What a replay keeps in memory: of the fold alone, by Python's own account of every object, or by the system's."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil

from schemas.events import Heartbeat, Tick, Trusted
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from services.cli.bench.load import INTRODUCED_EVERY, Speaker
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


class Sustained(NamedTuple):
    """How memory grew while very many heartbeats were folded, in bytes."""

    heartbeats: int
    grown: int
    """From the first tenth of them to the last."""

    @property
    def per_heartbeat(self) -> float:
        """For each of them."""
        return self.grown / self.heartbeats


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
    speakers = [Speaker(number, mint) for number in range(workloads)]
    connects = [(one.key, one.connect(now)) for one in speakers]
    beats = [[(one.key, one.heartbeat(now)) for one in speakers] for _ in range(LATE)]
    # pydantic keeps some thousand of the texts that it read, whatever they were: they are not of these workloads.
    _begun(mint).take([*connects, *beats[0], *beats[1]])
    fold = _begun(mint)
    tracemalloc.start()
    try:
        before = traced()
        fold.take(connects)
        looks = {}
        for window, messages in enumerate(beats, 1):
            fold.take(messages)
            fold.tick(window - 1)
            if window in {EARLY, LATE}:
                looks[window] = traced() - before
    finally:
        tracemalloc.stop()
    grown = (looks[LATE] - looks[EARLY]) / (workloads * (LATE - EARLY))
    return Kept(looks[LATE] / workloads, grown)


def _begun(mint: Mint | None) -> _Fold:
    fold = _Fold(mint)
    if mint is not None:
        fold.take([(CONTROL_KEY, Trusted(bundle=mint.bundle().digest, owner=OWNER).to_json())])
    return fold


def resident() -> int:
    """Return what the system says that this process has in memory, in bytes."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def traced() -> int:
    """Return what Python says that its objects take, in bytes; it must have been told to trace them."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def sustain(workloads: int, heartbeats: int, look: Callable[[], int] = resident) -> Sustained:
    """Fold so many heartbeats, each made when it is folded, and return how memory grew meanwhile."""
    now = datetime.now(UTC)
    fold, speakers = _Fold(None), [Speaker(number, None) for number in range(workloads)]
    fold.take([(one.key, one.connect(now)) for one in speakers])
    heads = [(one.key, Heartbeat(session=one.session, seq=0).to_json().removesuffix(b"0}")) for one in speakers]
    windows = heartbeats // workloads
    early = 0
    for window in range(windows):
        fold.take([(key, b"%s%d}" % (head, window + INTRODUCED_EVERY)) for key, head in heads])
        fold.tick(window)
        if window == windows // 10:
            early = look()
    return Sustained((windows - windows // 10) * workloads, look() - early)
