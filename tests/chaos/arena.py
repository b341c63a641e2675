"""All parts of Muster as processes of their own, with a network between them that can be made worse."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml
from kubernetes.aio import client

from schemas import resource, topics
from schemas.events import Host
from services.agent.fleet import introductions, machine
from services.agent.identity.file import IdentityFile, RegistrationPart
from services.agent.settings import FleetSettings
from services.identity import issuing
from services.local import crds
from services.local.child import Child
from services.local.kafka import Kafka, settings
from services.local.kube import Kube
from services.local.ports import kept
from services.runtime import topics as topic_admin
from tests.chaos import registered
from tests.chaos.account import Account
from tests.chaos.links import HOST, Weather
from tests.chaos.registered import Registered
from tests.chaos.truth import DEAD, Truth
from tests.integration import evidence
from tests.integration.replayed import topic_disagreements
from tests.integration.world import World
from tests.support.eventually import eventually

WAYS = ("fleet", "processor", "sink")
"""The parts that reach the broker over links of their own."""
RBAC = Path(__file__).parents[2] / "deploy" / "rbac"
ACCOUNT, NAMESPACE = "muster-sink", "muster-system"
KUBE_ARGUMENTS = ("--etcd-compaction-interval=5s", f"--watch-cache-sizes={resource.PLURAL}.{resource.GROUP}#0")
"""A version of a registration lives for seconds, as it lives for minutes in an API server that is not hurried."""
WRITES_PER_S = 50
RESPITE_S = 6
"""A tenth of the usual, as the windows are."""
WATCH_S = 15


class Recipe(NamedTuple):
    """What makes the agents of a fleet: the same recipe is the same machines."""

    name: str
    size: int
    seed: int
    real: bool = False
    """One `muster agent`, as it runs on a machine, and no `muster fleet`."""


def broker(folder: Path) -> Kafka:
    """Return a broker in which each part has a listener of its own, advertised as the link that leads to it."""
    plain = Kafka(folder / "kafka")
    own = settings(plain.port, kept(plain.folder / "controller-port"), plain.folder / "data")
    added = {
        "listeners": [f"{part.upper()}://{HOST}:{_listener(folder, part)}" for part in WAYS],
        "advertised.listeners": [f"{part.upper()}://{HOST}:{_link(folder, part)}" for part in WAYS],
        "listener.security.protocol.map": [f"{part.upper()}:PLAINTEXT" for part in WAYS],
    }
    return Kafka(plain.folder, {name: ",".join([own[name], *more]) for name, more in added.items()})


def _listener(folder: Path, part: str) -> int:
    return kept(folder / f"listener-{part}")


def _link(folder: Path, part: str) -> int:
    return kept(folder / f"link-{part}")


class Arena(World):
    """The parts, the links between them, and the truth about the agents."""

    def __init__(self, folder: Path, kafka: Kafka, kube: Kube, partitions: int = topics.DEFAULT_PARTITIONS) -> None:
        super().__init__(kafka, kube.kubeconfig, folder)
        self.kafka, self.kube, self.partitions = kafka, kube, partitions
        self.truth = Truth()
        self.agents: dict[Child, Recipe] = {}
        """The fleets that were ever started."""
        self.restarts: list[str] = []
        """What ended by itself and was started again, as whoever runs it does."""
        self._seeds = count(1)
        self._told: dict[tuple[str, str], float] = {}

    # -- beginning and end ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.network()
        program = [sys.executable, "-m", "tests.chaos.links", str(self.folder / "network.json")]
        self._links = Child("links", program, self.folder / "links.log")
        self._links.start()
        await super().__aenter__()
        await topic_admin.apply(self.settings, self.partitions)
        await self._introduce_sink()
        self.account = await Account.open(self.settings, self.proves, self.vouches)
        return self

    async def __aexit__(self, *error: object) -> None:
        for child in self.children:
            if child.running:
                os.kill(child.pid, signal.SIGCONT)
        await self.account.close()
        await super().__aexit__(*error)
        await self._links.kill()

    async def _introduce_sink(self) -> None:
        """Give the sink the account and the rights of deploy/rbac, and a link of its own to the API."""
        command = [crds.kubectl(), "--kubeconfig", str(self.kubeconfig), "apply", "-f", str(RBAC)]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        request: dict[str, Any] = {"spec": {"audiences": []}}
        answer = await client.CoreV1Api(self.api).create_namespaced_service_account_token(ACCOUNT, NAMESPACE, request)
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": answer.status.token}
        config["clusters"][0]["cluster"]["server"] = f"https://{HOST}:{_link(self.folder, 'kube')}"
        (self.folder / "sink-kubeconfig").write_text(yaml.safe_dump(config))

    # -- the network ---------------------------------------------------------------------------------------------------

    def network(self, **weather: Weather) -> None:
        """Set the weather on the links named, and fair weather on all others."""
        ports = {part: (_link(self.folder, part), _listener(self.folder, part)) for part in WAYS}
        ports["kube"] = (_link(self.folder, "kube"), self.kube.port)
        told = {"links": ports, "state": {part: one._asdict() for part, one in weather.items()}}
        fresh = self.folder / "network.new"
        fresh.write_text(json.dumps(told))
        fresh.rename(self.folder / "network.json")

    def way(self, part: str) -> tuple[str, Path]:
        """Return how a part reaches the broker and Kubernetes: over its links."""
        link = "fleet" if part == "agent" else part
        return f"{HOST}:{_link(self.folder, link)}", self.folder / f"{part}-kubeconfig"

    # -- the parts -----------------------------------------------------------------------------------------------------

    def sink(self) -> Child:
        """Start the sink, with a small budget and short watches."""
        return self.start(
            "sink",
            "sink",
            writes_per_second=WRITES_PER_S,
            write_burst=WRITES_PER_S,
            watch_seconds=WATCH_S,
            resync_seconds=30,
            fleet__respite_seconds=RESPITE_S,
        )

    def all_run(self) -> None:
        """Start again what ended by itself."""
        for child in list(self.children):
            if child.running or child in self.ended:
                continue
            self.ended.add(child)
            self.restarts.append(f"{child.name} ended with {child.status}")
            part = child.name.split("-", 1)[1]
            if part in {"processor", "sink"}:
                getattr(self, part)()

    async def begin(self, size: int) -> None:
        """Start a processor, a sink and the agents: most in one fleet, a quarter in another, and a real one."""
        await self._serve()
        self.most = await self.gather("most", size - size // 4 - 1)
        self.some = await self.gather("some", size // 4)
        self.real = await self.join(Recipe("agent", 1, next(self._seeds), real=True))

    async def begin_in_quarters(self, size: int) -> None:
        """Start a processor, a sink and the agents, in four fleets."""
        await self._serve()
        self.quarters = [await self.gather(f"quarter-{number}", size // 4) for number in range(4)]

    async def _serve(self) -> None:
        await self.ready(self.processor())
        await self.ready(self.sink())

    async def shared_by(self, workers: int) -> None:
        """Wait until so many processors share the partitions."""

        async def so() -> bool:
            self.all_run()
            shares = await self.shares()
            return len(shares) == workers and all(shares) and sum(shares) == self.partitions

        await eventually(so, f"{workers} processors to share the partitions", within_s=60, every_s=0.25)

    async def counted(self, metric: str) -> float:
        """Return the sum of a metric over its labels, and over all sinks there were, as far as they told."""
        for child in self.children:
            if child.running and child.name.endswith("-sink"):
                _, text = await self.http(child, "metrics")
                told = [line.rpartition(" ") for line in text.splitlines()]
                if text:
                    values = (float(value) for name, _, value in told if name.partition("{")[0] == metric)
                    self._told[child.name, metric] = sum(values)
        return sum(value for (_, name), value in self._told.items() if name == metric)

    async def writes(self) -> int:
        """Return how many writes the sink asked of Kubernetes, as far as is known."""
        return int(await self.counted("muster_sink_writes_total"))

    # -- the agents ----------------------------------------------------------------------------------------------------

    async def gather(self, name: str, size: int) -> Child:
        """Start new agents; return when all have their registrations."""
        return await self.join(Recipe(name, size, next(self._seeds)))

    async def join(self, recipe: Recipe) -> Child:
        """Start agents, or start them again in new sessions; return when all have their registrations."""
        child = self.call(recipe)
        await self.connected(self.keys(child), "True", within_s=90)
        self.truth.begin(self.keys(child))
        return child

    def call(self, recipe: Recipe) -> Child:
        """Start agents, and wait for nothing."""
        child = self._machine(recipe) if recipe.real else self.fleet(recipe.name, recipe.size, recipe.seed, self.groups)
        self.agents[child] = recipe
        return child

    def _machine(self, recipe: Recipe) -> Child:
        """Start the agent of a machine: the first that a fleet of the same seed has."""
        like = machine(recipe.seed, 0)
        aws = like.identity.aws
        assert aws is not None
        assert aws.ec2 is not None
        issued = issuing.machine(self.mint, aws.ec2.instance_id, aws.zone, aws.account)
        registration = RegistrationPart(host=Host(addresses=like.addresses))
        told = IdentityFile(identity=issued.identity, credential=issued.credential, registration=registration)
        file = self.folder / f"{recipe.name}.json"
        file.write_bytes(told.to_json())
        return self.agent(recipe.name, file, self.groups[0])

    def keys(self, *fleets: Child) -> set[bytes]:
        """Return the workloads of fleets."""
        return {
            introduction.key.to_bytes()
            for fleet in fleets
            for introduction in introductions(
                FleetSettings(size=self.agents[fleet].size, seed=self.agents[fleet].seed, groups=self.groups)
            )
        }

    async def lose(self, fleet: Child) -> None:
        """Let the agents of a fleet die without a goodbye."""
        self.truth.fail(self.keys(fleet), DEAD)
        await self.kill(fleet)

    # -- what is there -------------------------------------------------------------------------------------------------

    async def registrations(self) -> dict[bytes, Registered] | None:
        """Return what Kubernetes says of each registration; None where it does not say."""
        return await registered.read(self.api, self.namespaces)

    async def disagreements(self) -> list[str]:
        """Return in what the oracle, the processor, Kubernetes and the answers to the agents differ."""
        verdicts = await self.account.catch_up()
        known = evidence.newest(self.account.told)
        answers = evidence.answers_of(await self.records(topics.REGISTRATIONS))
        wars = await self.wars()
        named = {(key.decode().split("/")[0], evidence.war_name(key)) for key in wars}
        odd = sorted(named ^ await self.entries())
        return [
            *evidence.final_against_oracle(known, verdicts),
            *evidence.told_against_oracle(self.account.told, verdicts),
            *evidence.wars_against_told(wars, known, answers),
            *registered.unlike(await self.registrations() or {}),
            *(f"{place} {offset}: rejected" for place, offset in verdicts.rejected),
            *(f"{entry}: WorkloadEntry and registration are not both there" for entry in odd),
        ]

    async def replay_disagreements(self) -> str:
        """Return in what a replay of the whole log is not what the processor told of everybody who ever was."""
        await self.account.catch_up()
        return await topic_disagreements(self, len(evidence.newest(self.account.told)))
