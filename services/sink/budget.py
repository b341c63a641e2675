"""The sink's write budget: how much it may ask of Kubernetes, and that it leaves Kubernetes alone when asked to.

Its weight-bearing rule: an answer that says how long to wait holds back every write, not only the one it answered;
else each of ten thousand workloads would ask for itself.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import structlog

from services.sink import metrics
from services.sink.core.objects import Manifest
from services.sink.ports import Cluster, ClusterError, Exactly, Kind, Listed, Seen, UnavailableError

T = TypeVar("T")

TELL_S = 1.0
"""A write that waited for longer than this is told of, once until the budget is enough again."""


class Budget:
    """Lets writes through at most so often, after a burst of so many; each waits for a turn of its own."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] | None = None) -> None:
        """``clock`` is in seconds; without one, the running loop's."""
        self.per_second = per_second
        self._gap = 1 / per_second
        self._burst_s = (burst - 1) * self._gap
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._next = float("-inf")
        self._paused_until = float("-inf")
        self._short = False
        self._log = structlog.get_logger()
        metrics.BUDGET.set(per_second)

    async def take(self) -> None:
        """Return when it is this write's turn, and nobody asked us to wait."""
        asked = self._clock()
        await asyncio.sleep(self._turn(asked))
        while (pause := self._paused_until - self._clock()) > 0:  # noqa: ASYNC110 - a time is awaited, no event
            await asyncio.sleep(pause)
        self._tell(self._clock() - asked)

    def borrow(self) -> None:
        """Take a turn at once, which later writes make up for; UnavailableError where somebody asked us to wait."""
        now = self._clock()
        if (pause := self._paused_until - now) > 0:
            raise UnavailableError(f"Kubernetes asked to be left alone for {pause:.1f} s more", pause)
        self._turn(now)

    def _turn(self, now: float) -> float:
        """Take the next turn; return how far off it is, in seconds."""
        self._next = max(self._next + self._gap, now - self._burst_s)
        return max(self._next - now, 0.0)

    def pause(self, seconds: float) -> None:
        """Let no write through for so long: Kubernetes asks for it."""
        until = self._clock() + seconds
        if self._paused_until < self._clock():
            self._log.warning("Kubernetes asks to be left alone: no writes until then", for_s=seconds)
        self._paused_until = max(self._paused_until, until)
        metrics.THROTTLED.inc()

    def _tell(self, waited: float) -> None:
        metrics.HELD.inc(waited)
        if waited > TELL_S and not self._short:
            self._short = True
            self._log.warning(
                "writes wait for the write budget", waited_s=round(waited, 1), writes_per_second=self.per_second
            )
        elif waited == 0 and self._short:
            self._short = False
            self._log.info("the write budget is enough again", writes_per_second=self.per_second)


class Budgeted:
    """A cluster whose writes keep to the budget, and are counted; reads go through."""

    def __init__(self, cluster: Cluster, budget: Budget) -> None:
        self._cluster = cluster
        self._budget = budget

    async def list(self, kind: Kind) -> Listed:
        """Return all objects of all namespaces."""
        return await self._cluster.list(kind)

    def watch(self, kind: Kind, resource_version: str) -> AsyncIterator[Seen]:
        """Yield what changes from there on."""
        return self._cluster.watch(kind, resource_version)

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create an object when it is its turn."""
        await self._budget.take()
        return await self._counted(kind, self._cluster.create(kind, manifest))

    async def update(self, kind: Kind, manifest: Manifest, *, status: bool = False) -> Manifest:
        """Replace an object, or only its status, when it is its turn."""
        await self._budget.take()
        return await self._counted(kind, self._cluster.update(kind, manifest, status=status))

    async def delete(self, kind: Kind, which: Exactly) -> None:
        """Delete an object now or not at all: whoever waited with it might have come back meanwhile."""
        self._budget.borrow()
        await self._counted(kind, self._cluster.delete(kind, which))

    async def _counted(self, kind: Kind, write: Awaitable[T]) -> T:
        try:
            done = await write
        except ClusterError as error:
            metrics.WRITES.labels(kind.value.plural, type(error).__name__).inc()
            if isinstance(error, UnavailableError) and error.after_s is not None:
                self._budget.pause(error.after_s)
            raise
        metrics.WRITES.labels(kind.value.plural, "ok").inc()
        return done
