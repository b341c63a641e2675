"""What Kubernetes says of every workload, as a watch tells it, and when it began to say so."""

import asyncio
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple

from services.sink.core.health import gets_traffic
from services.sink.core.objects import Manifest
from services.sink.ports import Cluster, GoneError, Kind

GONE = "gone"


class Said(NamedTuple):
    """A status that a condition came to have; times in seconds since the epoch."""

    uid: str
    status: str
    since: float
    """The time a condition names: the broker's, of the record that decided it."""
    seen: float
    """When a client of Kubernetes saw it."""


Read = Callable[[Manifest], tuple[str, float] | None]
"""Returns the status an object says now, and since when; None where it says nothing yet."""


def condition(of_type: str) -> Read:
    """Read a condition, and the time that it names."""

    def read(item: Manifest) -> tuple[str, float] | None:
        told = (one for one in item.get("status", {}).get("conditions", ()) if one["type"] == of_type)
        found = next(told, None)
        if found is None:
            return None
        return found["status"], datetime.fromisoformat(found["lastTransitionTime"]).timestamp()

    return read


def traffic(item: Manifest) -> tuple[str, float]:
    """Read whether istiod takes an entry for healthy; of that no entry tells since when."""
    return str(gets_traffic(item)), time.time()


class Roll:
    """What all objects of a kind say, by the name of ``what``; ``follow`` is its only task."""

    def __init__(self, cluster: Cluster, kind: Kind, what: str, read: Read) -> None:
        self._cluster = cluster
        self._kind = kind
        self._what = what
        self._read = read
        self.said: dict[str, Said] = {}
        """By the object's name, which is unique here."""
        self.changes: list[tuple[str, Said]] = []
        """Everything that was said, in order; whoever looks for something clears it first."""

    async def follow(self) -> None:
        """List and watch until cancelled."""
        while True:
            listed = await self._cluster.list(self._kind)
            version = listed.resource_version
            for item in listed.items:
                self._take(item, gone=False)
            try:
                while True:
                    async for seen in self._cluster.watch(self._kind, version):
                        version = seen.object["metadata"]["resourceVersion"]
                        if seen.type != "BOOKMARK":
                            self._take(seen.object, gone=seen.type == "DELETED")
            except GoneError:
                continue

    def _take(self, item: Manifest, *, gone: bool) -> None:
        about = item["metadata"]
        old, now = self.said.get(about["name"]), time.time()
        if gone:
            status, since = GONE, now
        else:
            read = self._read(item)
            if read is None:
                return
            status, since = read
        if old is None or (old.uid, old.status) != (about["uid"], status):
            said = Said(about["uid"], status, since, now)
            self.said[about["name"]] = said
            self.changes.append((about["name"], said))

    def count(self, names: Collection[str], status: str) -> int:
        """Return of how many this is said now."""
        return sum(name in self.said and self.said[name].status == status for name in names)

    async def all(self, names: Collection[str], status: str, within_s: float, running: Callable[[], None]) -> None:
        """Wait until this is said of all; ``running`` raises where that is not to be expected any more."""
        deadline = time.monotonic() + within_s
        while (count := self.count(names, status)) < len(names):
            running()
            if time.monotonic() > deadline:
                words = f"{self._kind.value.plural} say {self._what}={status} after {within_s:.0f} s"
                raise TimeoutError(f"only {count} of {len(names)} {words}")
            await asyncio.sleep(0.05)
