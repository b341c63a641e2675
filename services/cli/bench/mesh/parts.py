"""The parts as processes of their own, on a Kafka and a Kubernetes API of their own; what each says, and costs."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import psutil
from kubernetes.aio import client
from prometheus_client.parser import text_string_to_metric_families

from schemas import policies
from services.agent.fleet import ACCOUNT, introductions
from services.agent.settings import FleetSettings
from services.identity.issuing import Mint
from services.local.child import Child, StartError
from services.local.kafka import Kafka
from services.local.kube import Kube
from services.local.ports import free
from services.runtime import topics
from services.runtime.config import KafkaSettings
from services.sink import kube as adapter

NAMESPACE, GROUPS = "load", ("ratings", "reviews")
ISTIO = ("networking.istio.io", "v1")
MUSTER = (sys.executable, "-c", "from services.cli.main import main; main()")
READY_S = 120.0
GRACE_WINDOWS = 3600
"""Nobody is removed while it is measured."""


class Cost(NamedTuple):
    """What a process has used: seconds of CPU so far, and resident bytes now."""

    cpu_s: float
    memory: int


class Crew(NamedTuple):
    """A fleet: the same seed and size are the same machines."""

    name: str
    size: int
    seed: int

    def settings(self) -> FleetSettings:
        """Return what ``muster fleet`` is told of them."""
        groups = tuple(f"{NAMESPACE}/{group}" for group in GROUPS)
        return FleetSettings(size=self.size, seed=self.seed, groups=groups)

    def names(self) -> frozenset[str]:
        """Return the names of their registrations."""
        return frozenset(introduction.key.war_name for introduction in introductions(self.settings()))


class Parts:
    """Broker, API server, processor and sink; fleets come and go."""

    def __init__(self, folder: Path, heartbeat_s: float, window_ms: int, budget: float) -> None:
        self.folder = folder
        self.kafka, self.kube = Kafka(folder / "kafka"), Kube(folder / "kube")
        self.mint = Mint(folder / "mint")
        self.bundle = folder / "trust.json"
        self._heartbeat_s, self._window_ms, self._budget = heartbeat_s, window_ms, budget
        self._ports: dict[str, int] = {}
        self.children: dict[str, Child] = {}
        self.lost: set[Child] = set()
        """Those that were ended on purpose."""

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Parts"]:
        """Start everything but the fleets; end all of it in the end. The API's binary must be built."""
        self.mint.write_bundle(self.bundle, signed_control=True)
        try:
            await asyncio.gather(self.kafka.start(), self.kube.start())
            await topics.apply(KafkaSettings(bootstrap_servers=self.kafka.bootstrap_servers))
            self.api = await adapter.connect(self.kube.kubeconfig, None)
            try:
                await self._mesh()
                self.children |= {"broker": _started(self.kafka.child), "API server": _started(self.kube.child)}
                await self.processor()
                await self.sink()
                yield self
            finally:
                await self.api.close()
        finally:
            await asyncio.gather(*(child.kill() for child in self.children.values() if child.running))
            await asyncio.gather(self.kafka.stop(), self.kube.stop())

    async def _mesh(self) -> None:
        await client.CoreV1Api(self.api).create_namespace({"metadata": {"name": NAMESPACE}})
        machines = {"aws": {"accounts": [ACCOUNT], "ec2": {}}}
        allow = {"workloads": [machines], "onboardTo": [{"workloadGroupSelector": {}}]}
        policy = {
            "apiVersion": f"{policies.GROUP}/{policies.API_VERSION}",
            "kind": policies.KIND,
            "metadata": {"name": "machines"},
            "spec": {"allow": [allow]},
        }
        await client.CustomObjectsApi(self.api).create_namespaced_custom_object(
            policies.GROUP, policies.API_VERSION, NAMESPACE, policies.PLURAL, policy
        )
        for name in GROUPS:
            body = {
                "apiVersion": "/".join(ISTIO),
                "kind": "WorkloadGroup",
                "metadata": {"name": name},
                "spec": {
                    "metadata": {"labels": {"app": name}},
                    "template": {"serviceAccount": name, "ports": {"http": 80}},
                },
            }
            await client.CustomObjectsApi(self.api).create_namespaced_custom_object(
                *ISTIO, NAMESPACE, "workloadgroups", body
            )

    # -- processes -----------------------------------------------------------------------------------------------------

    def start(self, name: str, argv: Sequence[str]) -> Child:
        """Start a process under a name, after the one of that name ended."""
        child = Child(name, argv, self.folder / f"{name}.log", {"KUBECONFIG": str(self.kube.kubeconfig)})
        child.start()
        self.children[name] = child
        return child

    def _muster(self, name: str, *arguments: str, **told: object) -> Child:
        self._ports[name] = free()
        told |= {"http__port": self._ports[name], "log__format": "json"}
        options = [f"--set={key.replace('__', '.')}={value}" for key, value in told.items()]
        servers = f"--bootstrap-servers={self.kafka.bootstrap_servers}"
        return self.start(name, [*MUSTER, *arguments, servers, *options])

    async def processor(self) -> None:
        """Start the processor; return when it is ready."""
        rules = {"rules__window_ms": self._window_ms, "rules__grace_windows": GRACE_WINDOWS}
        trust = {"trust__bundle": self.bundle, "trust__key": self.mint.processor_key}
        await self._ready(self._muster("processor", "processor", **trust, **rules))

    async def sink(self) -> None:
        """Start the sink; return when it is ready."""
        budget = {"writes_per_second": self._budget, "write_burst": max(1, round(self._budget))}
        await self._ready(self._muster("sink", "sink", **budget))

    def fleet(self, crew: Crew, per_second: float) -> Child:
        """Start agents, so many a second; wait for nothing."""
        return self._muster(
            crew.name,
            "fleet",
            str(crew.size),
            seed=crew.seed,
            groups=f"[{', '.join(crew.settings().groups)}]",
            start_per_second=per_second,
            pacing__heartbeat_seconds=self._heartbeat_s,
            issuer=self.mint.folder,
            state_dir=self.folder / "state",
        )

    async def _ready(self, child: Child) -> None:
        async def says_so() -> bool:
            return await self._page(child.name, "readyz") is not None

        await child.ready(says_so, READY_S)

    async def kill(self, name: str) -> None:
        """End a process as a crash would."""
        self.lost.add(self.children[name])
        await self.children[name].kill()

    async def stop(self, name: str) -> None:
        """End a process in order."""
        self.lost.add(self.children[name])
        await self.children[name].stop()

    def all_run(self) -> None:
        """Raise StartError where a process ended by itself."""
        for child in self.children.values():
            if not child.running and child not in self.lost:
                raise StartError(f"{child.name} ended with status {child.status}; its log says:\n{child.tail()}")

    # -- what they say and cost ----------------------------------------------------------------------------------------

    def costs(self) -> dict[str, Cost]:
        """Return what each running process has used so far."""
        found = {}
        for name, child in self.children.items():
            if child.running:
                process = psutil.Process(child.pid)
                times = process.cpu_times()
                found[name] = Cost(times.user + times.system, process.memory_info().rss)
        return found

    async def metric(self, name: str, metric: str) -> float:
        """Return the sum of a metric of a process over its labels; 0 while it says nothing."""
        text = await self._page(name, "metrics") or ""
        families = [family for family in text_string_to_metric_families(text) if metric.startswith(family.name)]
        return sum(sample.value for family in families for sample in family.samples if sample.name == metric)

    async def _page(self, name: str, path: str) -> str | None:
        """Return one of a process's pages; None where it does not answer with success."""
        url = f"http://127.0.0.1:{self._ports[name]}/{path}"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http,
                http.get(url) as answer,
            ):
                return await answer.text() if answer.ok else None
        except (aiohttp.ClientError, TimeoutError):
            return None


def _started(child: Child | None) -> Child:
    if child is None:
        raise StartError("it was not started")
    return child
