"""`muster replay --compare live` holds a replay against the topic and against real WorkloadAutoRegistrations."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from kubernetes.aio import client

from schemas import resource
from schemas.events import Introduction
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS, WORKLOADS
from services.processor.core.rules import Rules
from services.replay.cluster import home
from services.replay.refold import Refold, Transition
from services.replay.selection import Selection
from services.replay.source import source
from tests.integration.processor.house import MUSTER
from tests.integration.sink.mesh import WARS, Mesh
from tests.support.proofs import ProvenSession, bundle_file, trust, trusted
from tests.support.registry import session


@pytest_asyncio.fixture(loop_scope="session")
async def mesh(kafka: str, kube: Path, tmp_path: Path) -> AsyncIterator[Mesh]:
    async with Mesh(kafka, kube, tmp_path) as made:
        yield made


async def processed(mesh: Mesh) -> None:
    """Do the processor's work: write what the log comes to."""
    async with source(None, mesh.settings, EVENTS, Selection()) as found:
        refold = Refold(Rules(), home(found.partitions or 1), trust=trust())
        told = [one async for item in found.items() for one in refold.take(item)]
    for one in told:
        if isinstance(one, Transition) and one.state is not None and one.key.startswith(mesh.namespace.encode()):
            await mesh.pen.send_and_wait(WORKLOADS, one.state.to_json(), one.key, partition=one.place.partition)


async def trusts(mesh: Mesh) -> None:
    """Name the mint's bundle in every partition, as its owner does."""
    for place in await mesh.pen.partitions_for(EVENTS):
        await mesh.pen.send_and_wait(EVENTS, trusted().to_json(), CONTROL_KEY, partition=place)


async def connect(mesh: Mesh, who: Introduction, of_session: int, before: ProvenSession | None = None) -> ProvenSession:
    living = ProvenSession(who, session(of_session), before)
    await mesh.write(EVENTS, who.key.to_bytes(), living.connect().to_json())
    return living


async def everything_in(mesh: Mesh) -> set[tuple[str, str, str]]:
    """Return kind, uid and resourceVersion of every object of every kind; leases are the API server's own."""
    found: set[tuple[str, str, str]] = set()
    any_kind, core = client.CustomObjectsApi(mesh.api), client.CoreV1Api(mesh.api)
    for group in (await client.ApisApi(mesh.api).get_api_versions()).groups:
        version = group.preferred_version.version
        for one in (await any_kind.get_api_resources(group.name, version)).resources:
            if "list" in one.verbs and one.name != "leases":
                listed = await any_kind.list_cluster_custom_object(group.name, version, one.name)
                metadata = [item["metadata"] for item in listed["items"]]
                found |= {(one.name, of.get("uid", of["name"]), of.get("resourceVersion", "")) for of in metadata}
    for kind in ("namespace", "secret", "config_map", "service", "service_account", "event", "endpoints", "pod"):
        whole = getattr(core, f"list_{kind}_for_all_namespaces", None) or getattr(core, f"list_{kind}")
        found |= {(kind, item.metadata.uid, item.metadata.resource_version) for item in (await whole()).items}
    return found


async def compared(mesh: Mesh, *words: str) -> tuple[int | None, str]:
    """Run the command; return its exit code and what it says."""
    argv = ["replay", "-n", mesh.namespace, f"--kubeconfig={mesh.kubeconfig}", *words]
    return await muster(mesh, *argv, f"--bundle={bundle_file()}")


async def muster(mesh: Mesh, *words: str) -> tuple[int | None, str]:
    argv = [*MUSTER, *words, f"--bootstrap-servers={mesh.settings.bootstrap_servers}"]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, *argv, stdout=pipe, stderr=pipe)
    _, err = await asyncio.wait_for(child.communicate(), 60)
    return child.returncode, err.decode()


async def test_what_is_live_agrees_is_behind_and_is_different_each_in_its_turn(mesh: Mesh) -> None:
    """One story: all agree; a newer record makes what is live late; a hand in the status makes it wrong."""
    one, two = mesh.who(1), mesh.who(2)
    await trusts(mesh)
    first = await connect(mesh, one, 1)
    leaving = await connect(mesh, two, 2)
    await mesh.write(EVENTS, two.key.to_bytes(), leaving.goodbye().to_json())
    await processed(mesh)
    await mesh.start()
    await mesh.conditioned(one, "AgentConnected", "True")
    code, told = await compared(mesh, "--compare", "live")
    # Who had said goodbye before the sink looked was never registered: the sink owes it nothing any more.
    assert "compared with muster.workloads and the WorkloadAutoRegistrations: 2 of 2 workloads agree\n" in told
    assert code == 0, told

    await connect(mesh, one, 3, first)
    code, told = await compared(mesh, "--compare", "kube", "-l", "app.kubernetes.io/managed-by=muster")
    assert code == 0, told
    assert "compared with the WorkloadAutoRegistrations: 0 of 1 workloads agree; 1 behind" in told
    assert f"status.session: replayed '{session(3)}', live '{session(1)}'" in told

    await mesh.stop()
    before = await everything_in(mesh)
    assert {"workloadautoregistrations", "workloadgroups", "namespace"} <= {kind for kind, _, _ in before}
    assert (await compared(mesh, "--compare", "live"))[0] == 0
    ended, _ = await muster(mesh, "explain", one.key.war_name, f"--bundle={bundle_file()}")
    assert ended == 3  # told, and contradicted: this test's processor has not written what the last record came to
    assert (await muster(mesh, "removals"))[0] == 0
    assert await everything_in(mesh) == before

    forged = {"status": {"session": session(9)}}
    await client.CustomObjectsApi(mesh.api).patch_namespaced_custom_object_status(
        *WARS,
        mesh.namespace,
        resource.PLURAL,
        one.key.war_name,
        forged,
        _content_type="application/merge-patch+json",
    )
    code, told = await compared(mesh, "--compare", "kube")
    assert code == 1, told
    assert "FAILED the WorkloadAutoRegistrations: " in told
    assert f"status.session: replayed '{session(1)}', live '{session(9)}'" in told
    code, told = await compared(mesh, "--compare", "kube", "--context", "nowhere")
    assert code == 1
    assert "no Kubernetes to ask" in told
