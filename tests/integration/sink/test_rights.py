"""The rights that deploy/rbac gives the sink: enough on a real Kubernetes API, and none too many."""

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from kubernetes.aio import client

from schemas.registrations import Ended, Registered
from schemas.workloads import Presence
from tests.integration.sink.mesh import Mesh
from tests.support.eventually import eventually
from tests.support.registry import session

MANIFESTS = list(yaml.safe_load_all((Path(__file__).parents[3] / "deploy/rbac/sink.yaml").read_text()))
ROLE: dict[str, Any] = next(manifest for manifest in MANIFESTS if manifest["kind"] == "ClusterRole")
NAMESPACE, ACCOUNT = "muster-system", "muster-sink"


RIGHTS = [(rule["resources"][0], verb) for rule in ROLE["rules"] for verb in rule["verbs"]]


def _without(resource: str, verb: str) -> dict[str, Any]:
    role = deepcopy(ROLE)
    for rule in role["rules"]:
        if rule["resources"] == [resource]:
            rule["verbs"].remove(verb)
    role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
    return role


@pytest_asyncio.fixture(loop_scope="session")
async def mesh(kafka: str, kube: Path, tmp_path: Path) -> AsyncIterator[Mesh]:
    """Give the sink the account that the manifests make, with a token of that account alone."""
    async with Mesh(kafka, kube, tmp_path) as made:
        await made.kubectl("apply", "-f", str(Path(__file__).parents[3] / "deploy/rbac"))
        request: dict[str, Any] = {"spec": {"audiences": []}}
        answer = await client.CoreV1Api(made.api).create_namespaced_service_account_token(ACCOUNT, NAMESPACE, request)
        config = yaml.safe_load(kube.read_text())
        config["users"][0]["user"] = {"token": answer.status.token}
        made.account = tmp_path / "account"
        made.account.write_text(yaml.safe_dump(config))
        yield made


async def _everything(mesh: Mesh) -> None:
    """Have the sink do all that it ever does."""
    who = mesh.who()
    for tried in (1, 2):
        await mesh.say(who, of_session=tried, verified=None)
        await eventually(partial(_tried, mesh, tried), f"{tried} refused attempts")
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))
    await eventually(partial(_tried, mesh, 0), "the attempts to be gone")
    newer = mesh.who(version="v2.0.0")
    moved = newer.registration.workload.model_copy(update={"labels": {"version": "v9"}})
    newer = newer.model_copy(update={"registration": newer.registration.model_copy(update={"workload": moved})})
    await mesh.say(newer)

    async def rewritten() -> bool:
        entry = await mesh.entry(who)
        return entry is not None and entry["spec"]["labels"].get("version") == "v9"

    await eventually(rewritten, "the entry to be rewritten")
    await mesh.say(newer, Presence.ABSENT)
    await mesh.conditioned(who, "AgentConnected", "False")
    await mesh.healthy(who, healthy=False)
    await mesh.say(newer)
    await mesh.healthy(who, healthy=True)
    await mesh.say(newer, Presence.REMOVED)
    await mesh.answered(who, Ended, session(1))
    await mesh.gone(who)
    await mesh.restore(who, seconds=2)
    await eventually(lambda: mesh.entry(who), "the entry to be restored")
    await mesh.gone(who)


async def _tried(mesh: Mesh, times: int) -> bool:
    return [one["status"]["attempts"] for one in await mesh.attempts()] == [times] * bool(times)


async def test_the_sink_does_everything_with_the_rights_of_its_manifest(mesh: Mesh) -> None:
    await mesh.start()
    await _everything(mesh)
    assert mesh.sink is not None
    assert "forbidden" not in mesh.sink.log.read_text()
    assert await mesh.stop() == 0


@pytest.mark.parametrize(("resource", "verb"), RIGHTS)
async def test_the_sink_says_which_right_it_misses_when_it_has_one_less(mesh: Mesh, resource: str, verb: str) -> None:
    """Were a right not needed, everything would be done before the sink complains."""
    await client.RbacAuthorizationV1Api(mesh.api).replace_cluster_role(ACCOUNT, _without(resource, verb))
    sink = await mesh.start(ready=False)

    async def complains() -> bool:
        assert sink.running, sink.tail()
        return f'cannot {verb} resource \\"{resource}\\"' in sink.log.read_text()

    doing = asyncio.ensure_future(_everything(mesh))
    complaining = asyncio.ensure_future(eventually(complains, f"a complaint about {verb} {resource}"))
    try:
        await asyncio.wait({doing, complaining}, return_when=asyncio.FIRST_COMPLETED)
        assert complaining.done(), f"nobody missed the right to {verb} {resource}"
        await complaining
    finally:
        doing.cancel()
        complaining.cancel()
        await asyncio.gather(doing, complaining, return_exceptions=True)
