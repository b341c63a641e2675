"""When the processor's verdicts came to ``muster.workloads``: what is not yet the sink's work, nor Kubernetes'."""

import asyncio
from collections.abc import Collection
from typing import NamedTuple

from schemas.codec import decode_workload
from schemas.topics import WORKLOADS
from schemas.workloads import Workload
from services.cli.bench.mesh.roll import Said
from services.runtime import kafka
from services.runtime.config import KafkaSettings

LOOK_S = 0.05
WITHIN_S = 60.0


class Verdict(NamedTuple):
    """A presence that a workload came into: which one, by the broker's time of the record that brought it."""

    name: str
    since_ms: int

    @classmethod
    def behind(cls, name: str, said: Said) -> "Verdict":
        """Return the verdict that a registration's condition came of: it names the same time."""
        return cls(name, round(said.since * 1000))


class Verdicts:
    """The broker's time of every verdict since ``follow`` began; ``follow`` is its only task."""

    def __init__(self) -> None:
        self._written: dict[Verdict, float] = {}

    async def follow(self, settings: KafkaSettings) -> None:
        """Read on until cancelled."""
        consumer = await kafka.reader(settings, WORKLOADS)
        try:
            while True:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    for record in records:
                        self.take(record.value, record.timestamp / 1000)
        finally:
            await kafka.close(consumer)

    def take(self, value: bytes | None, at: float) -> None:
        """Take a record; ``at`` is when it was written. What is told again was told when it was told first."""
        state = decode_workload(value) if value is not None else None
        if isinstance(state, Workload):
            which = Verdict(state.workload.key.war_name, round(state.since.timestamp() * 1000))
            self._written.setdefault(which, at)

    async def written(self, which: Collection[Verdict]) -> dict[str, float]:
        """Return when each of these was written, in seconds since the epoch, by the workload's name.

        Raises TimeoutError where one is not there: what Kubernetes says, the processor told before.
        """
        deadline = asyncio.get_running_loop().time() + WITHIN_S
        while missing := [one for one in which if one not in self._written]:
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{WORKLOADS} lacks {len(missing)} of {len(which)} verdicts, as {missing[0]}")
            await asyncio.sleep(LOOK_S)
        return {one.name: self._written[one] for one in which}
