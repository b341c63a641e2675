"""One cell on fresh parts, stage by stage: join, rest, die, lose the processor, lose registrations, leave, return."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from kubernetes.aio import client

from schemas import resource
from services.cli.bench.mesh import bare
from services.cli.bench.mesh.parts import MUSTER, NAMESPACE, Cost, Crew, Parts
from services.cli.bench.mesh.results import Cell, Detection, Outcome, Recovery, Steady, Turn, spread
from services.cli.bench.mesh.roll import Roll, Said, condition, traffic
from services.cli.bench.mesh.verdicts import Verdict, Verdicts
from services.local import golang
from services.runtime.config import KafkaSettings
from services.sink.kube import Kubernetes
from services.sink.ports import Kind

WRITES, RECORDS, LAG = "muster_sink_writes_total", "muster_processor_records_total", "muster_processor_lag"
BARE = "bare consumer"
MISSED_WINDOWS = 3
WITHIN_S = 1200.0
SETTLE_S = 5.0
LOOK_S = 0.5


class Plan(NamedTuple):
    """How long and how much."""

    steady_s: float
    join_s: float
    """Agents start evenly over so many seconds; all at once where it is 0."""
    deletions: int
    budget: float


class Trial:
    """A cell that is being measured; ``say`` is told what is being done."""

    def __init__(self, cell: Cell, plan: Plan, parts: Parts, say: Callable[[str], None]) -> None:
        self.cell, self.plan, self.parts, self.say = cell, plan, parts, say
        tenth = max(1, cell.workloads // 10)
        self.most, self.some = Crew("most", cell.workloads - tenth, 1), Crew("some", tenth, 2)
        self.everybody = self.most.names() | self.some.names()
        cluster = Kubernetes(parts.api)
        self.wars = Roll(cluster, Kind.WAR, "AgentConnected", condition("AgentConnected"))
        self.entries = Roll(cluster, Kind.ENTRY, "healthy", traffic)
        self.verdicts = Verdicts()
        self.wronged = 0

    async def run(self) -> Outcome:
        """Measure everything. Raises StartError or TimeoutError where a part ends, or does not do what it should."""
        async with self._following():
            self.say("a bare client writes to Kubernetes…")
            bare_writes = await bare.writes_per_second(self.parts.api)
            idle = self.parts.costs()
            joined = await self._turn(f"{self.cell.workloads:,} agents join", self._start, self.everybody, "True")
            await asyncio.sleep(SETTLE_S)
            steady = await self._steady(idle)
            detection = await self._detection()
            recovery = await self._recovery()
            deleted = await self._deletions()
            left = await self._turn("all say goodbye", self._leave, self.most.names(), "False")
            returned = await self._turn("all come back at once", self._return, self.everybody, "True")
        return Outcome(
            self.cell, bare_writes, joined, steady, detection, recovery, deleted, left, returned, wronged=self.wronged
        )

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[None]:
        kafka = KafkaSettings(bootstrap_servers=self.parts.kafka.bootstrap_servers)
        following = (self.wars.follow(), self.entries.follow(), self.verdicts.follow(kafka))
        tasks = [asyncio.create_task(one) for one in following]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _turn(
        self,
        words: str,
        act: Callable[[], object],
        names: Collection[str],
        status: str,
        since: Mapping[str, float] | None = None,
    ) -> Turn:
        """Let something happen to workloads, and wait until Kubernetes says of all of them what it came to.

        ``since`` is when it happened to each; without it, when the record came to the broker that decided it.
        """
        self.say(f"{words}…")
        self.wars.changes.clear()
        before, began = await self.parts.metric("sink", WRITES), time.time()
        done = act()
        if asyncio.iscoroutine(done):
            await done
        await self._all(self.wars, names, status)
        await self._all(self.entries, names, status)
        seconds = time.time() - began
        said = {name: said for name, said in self.wars.changes if name in names and said.status == status}
        happened = {name: (since or {}).get(name, one.since) for name, one in said.items()}
        told = await self._told(said)
        return Turn(
            len(names),
            max(one.since for one in said.values()) - began,
            seconds,
            spread([told[name] - happened[name] for name in said]),
            spread([one.seen - happened[name] for name, one in said.items()]),
            int(await self.parts.metric("sink", WRITES) - before),
        )

    async def _told(self, said: Mapping[str, Said]) -> dict[str, float]:
        """Return when the processor told what registrations say, by their names."""
        return await self.verdicts.written([Verdict.behind(name, one) for name, one in said.items()])

    async def _all(self, roll: Roll, names: Collection[str], status: str) -> None:
        await roll.all(names, status, WITHIN_S, self.parts.all_run)

    # -- the stages ----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        for crew in (self.most, self.some):
            self.parts.fleet(crew, crew.size / max(self.plan.join_s, 0.1))

    async def _leave(self) -> None:
        await self.parts.stop(self.most.name)

    def _return(self) -> None:
        for crew in (self.most, self.some):
            self.parts.fleet(crew, 1e6)

    async def _steady(self, idle: dict[str, Cost]) -> Steady:
        self.say(f"{self.plan.steady_s:.0f} s of nothing but heartbeats…")
        self.wars.changes.clear()
        argv = [MUSTER[0], "-m", "services.cli.bench.mesh.tail", self.parts.kafka.bootstrap_servers]
        self.parts.start(BARE, argv)
        await asyncio.sleep(SETTLE_S)
        parts = self.parts
        first, folded, written = parts.costs(), await parts.metric("processor", RECORDS), await self._written()
        began, lag = time.monotonic(), 0.0
        while (took := time.monotonic() - began) < self.plan.steady_s:
            lag = max(lag, await parts.metric("processor", LAG))
            await asyncio.sleep(LOOK_S)
        last = parts.costs()
        steady = Steady(
            took,
            (await parts.metric("processor", RECORDS) - folded) / took,
            int(await self._written() - written),
            int(lag),
            {name: (last[name].cpu_s - first[name].cpu_s) / took for name in first},
            {name: cost.memory for name, cost in last.items()},
            {name: cost.memory - idle[name].memory for name, cost in last.items() if name in idle},
            {name: cost.memory - first[name].memory for name, cost in last.items()},
        )
        await parts.kill(BARE)
        self._nobody_but(frozenset())
        return steady

    async def _written(self) -> float:
        return await self.parts.metric("sink", WRITES)

    async def _detection(self) -> Detection:
        self.say(f"{self.some.size:,} agents die…")
        self.wars.changes.clear()
        self.entries.changes.clear()
        died, names = time.time(), self.some.names()
        await self.parts.kill(self.some.name)
        await self._all(self.wars, names, "False")
        await self._all(self.entries, names, "False")
        window_s = self.cell.window_ms / 1000
        self._nobody_but(names)
        said = {name: one for name, one in self.wars.changes if one.status == "False"}
        return Detection(
            spread([at - died for at in (await self._told(said)).values()]),
            spread([one.seen - died for one in said.values()]),
            spread([said.seen - died for name, said in self.entries.changes if said.status == "False"]),
            (MISSED_WINDOWS + 1) * window_s,
        )

    async def _recovery(self) -> Recovery:
        self.say("the processor is killed…")
        self.wars.changes.clear()
        began = time.monotonic()
        await self.parts.kill("processor")
        await self.parts.processor()
        ready = time.monotonic() - began
        # The gauge is written twice a second, and is 0 before it was.
        await asyncio.sleep(2 * LOOK_S)
        while await self.parts.metric("processor", LAG) > self.cell.per_second:  # noqa: ASYNC110 - it is polled
            await asyncio.sleep(LOOK_S)
        caught_up = time.monotonic() - began
        # Long enough to be called absent, were the time without an owner held against anybody.
        await asyncio.sleep((MISSED_WINDOWS + 2) * self.cell.window_ms / 1000)
        self._nobody_but(frozenset())
        return Recovery(ready, caught_up)

    async def _deletions(self) -> Turn:
        """Delete registrations: the sink ends their sessions, and the agents come back as others."""
        names = sorted(self.most.names())[: self.plan.deletions]
        old = {name: self.wars.said[name].uid for name in names}
        when: dict[str, float] = {}

        async def delete() -> None:
            objects = client.CustomObjectsApi(self.parts.api)
            queue = iter(names)

            async def some() -> None:
                for name in queue:
                    where = (resource.GROUP, resource.API_VERSION, NAMESPACE, resource.PLURAL, name)
                    when[name] = time.time()
                    await objects.delete_namespaced_custom_object(*where)

            await asyncio.gather(*(some() for _ in range(bare.AT_ONCE)))
            while any(self.wars.said[name].uid == old[name] for name in names):
                self.parts.all_run()
                await asyncio.sleep(LOOK_S / 10)

        return await self._turn(f"{len(names):,} registrations are deleted", delete, names, "True", when)

    def _nobody_but(self, names: Collection[str]) -> None:
        """Count whom Kubernetes called something else than connected although its agent was there."""
        self.wronged += sum(_gone(said) and name not in names for name, said in self.wars.changes)


def _gone(said: Said) -> bool:
    return said.status != "True"


async def measure(cell: Cell, plan: Plan, parts: Parts, say: Callable[[str], None]) -> Outcome:
    """Measure a cell on parts of its own."""

    def building(what: str, done: int, of: int) -> None:
        say(f"{what}, once: {done:,} of {of:,}…" if of else f"{what}…")

    await golang.build_kube(building)
    async with parts.up():
        return await Trial(cell, plan, parts, say).run()
