"""The sink as a real process between a real Kafka and a real Kubernetes API; the test is processor and people."""

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiokafka import AIOKafkaProducer
from kubernetes.aio import client

from schemas import attempts, resource, topics
from schemas.codec import Rejection, decode_answer
from schemas.credentials import Verified
from schemas.events import Introduction
from schemas.rejected import Rejected
from schemas.removals import Removal, Restore
from schemas.workloads import Presence, Workload
from services.local import crds
from services.local.child import Child
from services.local.ports import free
from services.runtime.config import KafkaSettings
from services.runtime.kafka import producer, read_to_end, reader
from services.runtime.topics import apply
from services.sink import kube as adapter
from services.sink.core.actions import Answered
from services.sink.core.health import gets_traffic
from tests.support.eventually import eventually
from tests.support.policies import VERIFIED, policy
from tests.support.registry import joiner, workload

PROGRAM = "from services.cli.main import main; main()"
WARS = (resource.GROUP, resource.API_VERSION)
ATTEMPTS = (attempts.GROUP, attempts.API_VERSION)
ISTIO = ("networking.istio.io", "v1")
GROUP = "ratings"


class Mesh:
    """One namespace with a WorkloadGroup, and at most one sink."""

    def __init__(self, servers: str, kubeconfig: Path, folder: Path) -> None:
        self.settings = KafkaSettings(bootstrap_servers=servers)
        self.kubeconfig = kubeconfig
        self.account = kubeconfig
        """The kubeconfig of the sink, where it is not the people's."""
        self.folder = folder
        self.namespace = f"mesh-{uuid.uuid4().hex[:8]}"
        self.sink: Child | None = None
        self.port = free()
        self._revision = 0

    async def __aenter__(self) -> Self:
        await apply(self.settings, 2, 1)
        self.api = await adapter.connect(self.kubeconfig, None)
        self.objects = client.CustomObjectsApi(self.api)
        self.pen: AIOKafkaProducer = await producer(self.settings)
        await self.create_namespace()
        await self.create_group()
        await self.allow()
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self.sink is not None:
            await self.sink.kill()
        await self.pen.stop()
        with suppress(client.ApiException, aiohttp.ClientError):
            await client.CoreV1Api(self.api).delete_namespace(self.namespace)
        await self.api.close()

    # -- the sink ------------------------------------------------------------------------------------------------------

    async def start(self, program: str = PROGRAM, *settings: str, ready: bool = True) -> Child:
        """Start the sink; a ``program`` of its own may be a faulty one."""
        told = (
            *settings,
            f"http.port={self.port}",
            "log.format=json",
            "resync_seconds=1",
            "attempts.rewrite_seconds=0.2",
        )
        argv = [sys.executable, "-c", program, "sink", f"--bootstrap-servers={self.settings.bootstrap_servers}"]
        argv += [f"--set={setting}" for setting in told]
        self.sink = Child("sink", argv, self.folder / "sink.log", {"KUBECONFIG": str(self.account)})
        self.sink.start()
        if ready:
            await self.ready()
        return self.sink

    async def ready(self) -> None:
        """Wait until the sink says of itself that it is ready."""

        async def says_so() -> bool:
            assert self.sink is not None
            assert self.sink.running, self.sink.tail()
            return (await self.page("readyz"))[0] == 200

        await eventually(says_so, "the sink to be ready")

    async def page(self, path: str) -> tuple[int, str]:
        """Return status and text of a page of the sink's; 0 where it does not listen yet."""
        try:
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}/{path}") as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def stop(self) -> int | None:
        """Let the sink drain; return its exit status."""
        assert self.sink is not None
        return await self.sink.stop()

    # -- the processor -------------------------------------------------------------------------------------------------

    def who(self, number: int = 1, version: str = "v1.4.0") -> Introduction:
        """Return the introduction of a workload in this namespace."""
        return joiner(number, version=version).model_copy(update={"namespace": self.namespace})

    async def say(
        self,
        who: Introduction,
        presence: Presence = Presence.CONNECTED,
        *,
        of_session: int = 1,
        verified: Verified | None = VERIFIED,
    ) -> Workload:
        """Publish a state, newer than all before it."""
        self._revision += 1
        state = workload(who, presence, of_session=of_session, revision=self._revision, verified=verified)
        await self.write(topics.WORKLOADS, who.key.to_bytes(), state.to_json())
        return state

    async def write(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Write a record."""
        await self.pen.send_and_wait(topic, value, key)

    # -- people --------------------------------------------------------------------------------------------------------

    async def create_namespace(self, name: str | None = None) -> None:
        """Create a namespace."""
        await client.CoreV1Api(self.api).create_namespace({"metadata": {"name": name or self.namespace}})

    async def create_group(self, name: str = GROUP, namespace: str | None = None) -> None:
        """Create a WorkloadGroup."""
        body = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadGroup",
            "metadata": {"name": name},
            "spec": {"metadata": {"labels": {"app": name}}, "template": {"serviceAccount": "ratings"}},
        }
        await self.objects.create_namespaced_custom_object(*ISTIO, namespace or self.namespace, "workloadgroups", body)

    async def allow(self, namespace: str | None = None, **spec: Any) -> None:  # noqa: ANN401 - parts of a manifest
        """Apply an OnboardingPolicy: the tests' machines may join, unless ``spec`` says else."""
        await self.kubectl("apply", "-f", "-", told=json.dumps(policy(namespace or self.namespace, **spec)))

    async def edit_group(self, account: str) -> None:
        """Give the WorkloadGroup another service account."""
        body = {"spec": {"template": {"serviceAccount": account}}}
        await self.objects.patch_namespaced_custom_object(
            *ISTIO, self.namespace, "workloadgroups", GROUP, body, _content_type="application/merge-patch+json"
        )

    async def delete_war(self, who: Introduction) -> None:
        """Delete a registration, as `kubectl delete war` does."""
        await self.objects.delete_namespaced_custom_object(*WARS, who.namespace, resource.PLURAL, who.key.war_name)

    async def kubectl(self, *arguments: str, told: str | None = None) -> str:
        """Return what kubectl prints; raise CalledProcessError with its words where it fails."""
        command = [crds.kubectl(), "--kubeconfig", str(self.kubeconfig), *arguments]
        done = await asyncio.to_thread(subprocess.run, command, input=told, capture_output=True, text=True, check=True)
        return done.stdout

    async def restore(self, who: Introduction, seconds: int) -> Restore:
        """Order the last removal of a workload to be undone."""
        removal = await self.removal(who)
        assert removal is not None
        order = Restore(removal=removal, who="ann", why="it is alive", for_seconds=seconds)
        await self.write(topics.RESTORES, who.key.to_bytes(), order.to_json())
        return order

    # -- what is there -------------------------------------------------------------------------------------------------

    async def object(self, api: tuple[str, str], plural: str, who: Introduction) -> dict[str, Any] | None:
        """Return an object of a workload, or None where it is not there."""
        try:
            found: dict[str, Any] = await self.objects.get_namespaced_custom_object(
                *api, who.namespace, plural, who.key.war_name
            )
        except client.ApiException as error:
            if error.status != 404:
                raise
            return None
        return found

    async def war(self, who: Introduction) -> dict[str, Any] | None:
        """Return the registration of a workload, or None."""
        return await self.object(WARS, resource.PLURAL, who)

    async def entry(self, who: Introduction) -> dict[str, Any] | None:
        """Return the WorkloadEntry of a workload, or None."""
        return await self.object(ISTIO, "workloadentries", who)

    async def attempts(self) -> list[dict[str, Any]]:
        """Return the OnboardingAttempts of the namespace."""
        found = await self.objects.list_namespaced_custom_object(*ATTEMPTS, self.namespace, attempts.PLURAL)
        return list(found["items"])

    async def conditioned(self, who: Introduction, kind: str, status: str) -> Mapping[str, Any]:
        """Wait until a condition has this status; return the condition."""

        async def so() -> Mapping[str, Any] | None:
            return _condition(await self.war(who), kind, status)

        return await eventually(so, f"{kind}={status} of {who.key.war_name}")

    async def healthy(self, who: Introduction, *, healthy: bool) -> dict[str, Any]:
        """Wait until istiod takes a workload's endpoint for healthy, or for not; return the entry."""

        async def so() -> dict[str, Any] | None:
            entry = await self.entry(who)
            return entry if entry is not None and gets_traffic(entry) is healthy else None

        return await eventually(so, f"istiod to take {who.key.war_name} for healthy={healthy}")

    async def gone(self, who: Introduction) -> None:
        """Wait until registration and entry are gone."""

        async def so() -> bool:
            return await self.war(who) is None and await self.entry(who) is None

        await eventually(so, f"{who.key.war_name} to be gone")

    async def answer(self, who: Introduction) -> Answered | None:
        """Return the newest answer to a workload."""
        values = await self.records(topics.REGISTRATIONS)
        value = next((value for key, value in reversed(values) if key == who.key.to_bytes()), None)
        if value is None:
            return None
        answer = decode_answer(value)
        assert not isinstance(answer, Rejection)
        return answer

    async def answered(self, who: Introduction, kind: type[Answered], of_session: str) -> Any:  # noqa: ANN401 - a kind
        """Wait for an answer of this kind to this session."""

        async def so() -> Answered | None:
            answer = await self.answer(who)
            return answer if isinstance(answer, kind) and answer.session == of_session else None

        return await eventually(so, f"{kind.__name__} of {of_session}")

    async def removal(self, who: Introduction) -> Removal | None:
        """Return the newest removal of a workload."""
        values = await self.records(topics.REMOVALS)
        value = next((value for key, value in reversed(values) if key == who.key.to_bytes()), None)
        return Removal.model_validate_json(value) if value is not None else None

    async def rejected(self) -> list[Rejected]:
        """Return what was rejected."""
        return [Rejected.model_validate_json(value or b"") for _, value in await self.records(topics.REJECTED)]

    async def records(self, topic: str) -> list[tuple[bytes | None, bytes | None]]:
        """Return a topic as it is now, whole; records of one key in order."""
        consumer = await reader(self.settings, topic)
        try:
            return [(one.key, one.value) async for chunk in read_to_end(consumer) for one in chunk]
        finally:
            await consumer.stop()


def _condition(found: dict[str, Any] | None, kind: str, status: str) -> Mapping[str, Any] | None:
    conditions = (found or {}).get("status", {}).get("conditions", ())
    return next((one for one in conditions if (one["type"], one["status"]) == (kind, status)), None)
