"""The whole of Muster on a real Kafka and a real Kubernetes API, and what can be seen of it from outside."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from kubernetes.aio import client, config

from schemas import resource, topics
from schemas.credentials import Credential
from schemas.events import ControlEvent
from schemas.identity import Identity
from schemas.message import instant
from schemas.resource import WarSpec, WarStatus
from services.identity.core.keys import vouched
from services.identity.core.verdict import Accepted
from services.identity.core.verifier import verify
from services.runtime.config import KafkaSettings
from services.runtime.kafka import read_to_end, reader
from tests.integration.processes import RULES, Processes
from tests.support.eventually import eventually
from tests.support.oracle import Verdicts, oracle
from tests.support.policies import policy


class Broker(Protocol):
    """A Kafka that can be restarted; it comes back under the same address with the same data."""

    bootstrap_servers: str

    async def start(self) -> str: ...
    async def kill(self) -> None: ...


class Seen(NamedTuple):
    """A record of a topic."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes | None


class War(NamedTuple):
    """What Kubernetes says of one workload."""

    uid: str
    spec: WarSpec
    status: WarStatus
    version: str = ""
    """Its resourceVersion."""

    def condition(self, kind: resource.ConditionType) -> resource.Condition | None:
        """Return a condition by its type."""
        return next((c for c in self.status.conditions if c.type is kind), None)


class World(Processes):
    """What befalls it is up to the test; everything it started ends with it."""

    def __init__(self, broker: Broker, kubeconfig: Path, folder: Path) -> None:
        super().__init__(broker.bootstrap_servers, kubeconfig, folder)
        self.broker = broker
        self.settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        self._trusted = self.mint.bundle(signed_control=True)
        self._proven: dict[tuple[Credential, Identity], Identity | None] = {}
        mark = uuid.uuid4().hex[:6]
        self.namespaces = (f"bookinfo-{mark}", f"shop-{mark}")
        self.groups = tuple(f"{namespace}/{group}" for namespace in self.namespaces for group in ("ratings", "reviews"))

    async def __aenter__(self) -> Self:
        await config.load_kube_config(str(self.kubeconfig))
        self.api = client.ApiClient()
        for namespace in self.namespaces:
            await client.CoreV1Api(self.api).create_namespace({"metadata": {"name": namespace}})
            await self._create("authorization.onboarding.tetrate.io/v1alpha1", "onboardingpolicies", policy(namespace))
        for group in self.groups:
            await self._create_group(*group.split("/"))
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.gather(*(child.kill() for child in self.children if child.running))
        with suppress(client.ApiException):
            for namespace in self.namespaces:
                await client.CoreV1Api(self.api).delete_namespace(namespace)
        await self.api.close()

    async def _create_group(self, namespace: str, name: str) -> None:
        body = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadGroup",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {
                "metadata": {"labels": {"app": name}},
                "template": {"serviceAccount": name, "ports": {"http": 80}},
            },
        }
        await self._create("networking.istio.io/v1", "workloadgroups", body)

    async def _create(self, api: str, plural: str, body: dict[str, Any]) -> None:
        await client.CustomObjectsApi(self.api).create_namespaced_custom_object(
            *api.split("/"), body["metadata"]["namespace"], plural, body
        )

    async def records(self, topic: str) -> dict[int, list[Seen]]:
        """Return a topic as it is now, whole, by partition."""
        consumer = await reader(self.settings, topic)
        found: dict[int, list[Seen]] = {place.partition: [] for place in consumer.assignment()}
        try:
            async for chunk in read_to_end(consumer):
                found[chunk[0].partition].extend(Seen(r.offset, r.timestamp, r.key, r.value) for r in chunk)
        finally:
            await consumer.stop()
        return found

    async def judged(self) -> Verdicts:
        """Return what the oracle says of ``muster.events`` as it is now."""
        return oracle(await self.records(topics.EVENTS), RULES, prove=self.proves, vouch=self.vouches)

    def proves(self, credential: Credential, claimed: Identity, at_ms: int) -> Identity | None:
        """Return what a credential proves to those who trust this world's mint."""
        known = (credential, claimed)
        if known not in self._proven:
            found = verify(self._trusted, credential, claimed, instant(at_ms), "")
            self._proven[known] = found.identity if isinstance(found, Accepted) else None
        return self._proven[known]

    def vouches(self, event: ControlEvent, partition: int) -> bool:
        """Tell whether the mint's processor signed a record."""
        return vouched(self._trusted.processors, event.statement(partition), event.signature or "")

    async def wars(self) -> dict[bytes, War]:
        """Return the WorkloadAutoRegistrations of this world, by the key of their workload."""
        found: dict[bytes, War] = {}
        for namespace in self.namespaces:
            listed: Mapping[str, Any] = await client.CustomObjectsApi(self.api).list_namespaced_custom_object(
                resource.GROUP, resource.API_VERSION, namespace, resource.PLURAL
            )
            for item in listed["items"]:
                spec = WarSpec.model_validate(item["spec"])
                key = f"{namespace}/{spec.workload_group.name}/{spec.identity.name}"
                assert item["metadata"]["name"] == f"{spec.workload_group.name}-{spec.identity.name}"
                about, status = item["metadata"], WarStatus.model_validate(item.get("status") or {})
                found[key.encode()] = War(about["uid"], spec, status, about["resourceVersion"])
        return found

    async def entries(self) -> set[tuple[str, str]]:
        """Return namespace and name of this world's WorkloadEntries."""
        return {
            (namespace, item["metadata"]["name"])
            for namespace in self.namespaces
            for item in (
                await client.CustomObjectsApi(self.api).list_namespaced_custom_object(
                    "networking.istio.io", "v1", namespace, "workloadentries"
                )
            )["items"]
        }

    async def shares(self) -> list[int]:
        """Return how many partitions of ``muster.events`` each worker of the processor has, as Kafka sees it."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.bootstrap_servers)
        await admin.start()
        try:
            answers = await admin.describe_consumer_groups([topics.PROCESSOR_APP])
        finally:
            await admin.close()
        _code, _group, state, _kind, _protocol, members, *_ = answers[0].groups[0]
        if state != "Stable":
            return []
        assigned = [ConsumerProtocol.ASSIGNMENT.decode(member[4]).partitions() for member in members]
        return sorted(sum(place.topic == topics.EVENTS for place in places) for places in assigned)

    async def connected(self, keys: Iterable[bytes], status: str | None, within_s: float = 60) -> None:
        """Wait until the WARs of all ``keys`` say this of their agent; None: until they are gone."""
        wanted = set(keys)
        seen: Counter[str | None] = Counter()

        async def so() -> bool:
            nonlocal seen
            self.all_run()
            wars = await self.wars()
            seen = Counter(_status(wars.get(key)) for key in wanted)
            return set(seen) == {status}

        try:
            await eventually(so, f"AgentConnected {status}", within_s=within_s, every_s=0.25)
        except AssertionError as late:
            raise AssertionError(f"{late}: {dict(seen)}; logs: {self.folder}") from None


def _status(war: War | None) -> str | None:
    if war is None:
        return None
    condition = war.condition(resource.ConditionType.AGENT_CONNECTED)
    return condition.status if condition else "missing"
