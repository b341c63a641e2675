"""Follows the objects of Kubernetes: a list, then a watch from there, for as long as it takes.

Its one rule: a list that failed says nothing. Only a list that succeeded can show that something is gone.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from services.runtime.health import Health
from services.sink import metrics
from services.sink.ports import Cluster, ClusterError, GoneError, Kind, NotFoundError, Seen, UnavailableError
from services.sink.state import State

FIRST_S = 0.2
LONGEST_S = 10.0


class Watch:
    """One kind, followed for ever."""

    def __init__(self, cluster: Cluster, kind: Kind, state: State, concern: Callable[[Iterable[bytes]], None]) -> None:
        """``concern`` is told the keys of the workloads that something changed for."""
        self.cluster = cluster
        self.kind = kind
        self.state = state
        self.concern = concern
        self.listed = asyncio.Event()
        """Set after the first list."""
        self._version = ""
        self._delay = FIRST_S
        self._log = structlog.get_logger()

    async def follow(self, health: Health) -> None:
        """List and watch until cancelled, waiting while Kubernetes is away."""
        name = f"kubernetes {self.kind.value.plural}"
        while True:
            try:
                if not self._version:
                    await self._list()
                health.set(name, ok=True)
                await self._watch()
            except GoneError:
                metrics.RELISTS.labels(self.kind.value.plural).inc()
                self._version = ""
            except ClusterError as error:
                why = _explained(self.kind, error)
                health.set(name, ok=False, why=why)
                self._log.warning("waiting for Kubernetes", kind=self.kind.value.plural, why=why, next_in_s=self._delay)
                # The API that comes back may not be the one that went, or know nothing of this version: list again.
                self._version = ""
                after = error.after_s if isinstance(error, UnavailableError) else None
                await asyncio.sleep(max(self._delay, after or 0))
                self._delay = min(self._delay * 2, LONGEST_S)

    async def _list(self) -> None:
        found = await self.cluster.list(self.kind)
        self._delay = FIRST_S
        self._version = found.resource_version
        self.concern(self.state.replace(self.kind, found.items, found.resource_version))
        self.listed.set()

    async def _watch(self) -> None:
        heard = False
        async for seen in self.cluster.watch(self.kind, self._version):
            self._delay = FIRST_S
            self._take(seen)
            heard = True
        if not heard:
            # Minutes without so much as a bookmark: an API restored from a backup never comes to our version.
            self._version = ""

    def _take(self, seen: Seen) -> None:
        self._version = seen.object["metadata"]["resourceVersion"]
        if seen.type == "DELETED":
            self.concern(self.state.drop(self.kind, seen.object))
        elif seen.type != "BOOKMARK":
            self.concern(self.state.put(self.kind, seen.object))


def _explained(kind: Kind, error: ClusterError) -> str:
    if isinstance(error, NotFoundError):
        return f"{kind.value.plural}.{kind.value.group} is not served: apply its CustomResourceDefinition ({error})"
    return str(error)
