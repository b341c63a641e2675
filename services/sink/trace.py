"""Tells what the sink wrote, behind its back: no write to Kubernetes ever waits for it.

Its one rule: what is told was acknowledged by Kubernetes. The other way round there is no promise (ADR 0015): what
waits here ends with a sink that is killed, is dropped where Kafka is away for long, and may be told twice where Kafka
was slow.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from schemas.actions import Written
from services.sink import metrics

AT_ONCE = 500
"""So many records go out together."""
GATHER_S = 0.1
"""So long a record may wait for others, seconds: alone, each write would be a request of its own to the broker."""
MOST = 20_000
"""So many wait while Kafka is away, some 10 MB; of more, the newest are not told."""

Line = tuple[bytes, Written]
"""A workload's key, and what was written of it."""


class Trace:
    """What waits to be told, in order."""

    def __init__(self, write: Callable[[Sequence[Line]], Awaitable[None]], most: int = MOST) -> None:
        """``write`` returns when all are durable, however long Kafka is away."""
        self._write = write
        self._most = most
        self._waiting: deque[Line] = deque()
        self._some, self._none = asyncio.Event(), asyncio.Event()
        self._none.set()
        self._full = False
        self._log = structlog.get_logger()

    def tell(self, key: bytes, written: Written) -> None:
        """Note a write that was acknowledged."""
        if len(self._waiting) >= self._most:
            metrics.UNTOLD.inc()
            if not self._full:
                self._log.warning("muster.actions is behind: what is written now is not told", waiting=self._most)
            self._full = True
            return
        self._full = False
        self._waiting.append((key, written))
        self._none.clear()
        self._some.set()

    async def keep(self) -> None:
        """Tell what waits, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER_S)
            batch = [self._waiting[place] for place in range(min(AT_ONCE, len(self._waiting)))]
            await self._write(batch)
            for _ in batch:
                self._waiting.popleft()
            if not self._waiting:
                self._some.clear()
                self._none.set()

    async def told(self) -> None:
        """Return when nothing waits."""
        await self._none.wait()
