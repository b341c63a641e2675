"""What the sink tells of its writes, held against the objects of a real Kubernetes API."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schemas import topics
from schemas.actions import Verb, Written
from schemas.codec import decode_written
from schemas.events import Introduction
from schemas.registrations import Ended, Registered
from schemas.workloads import Presence
from tests.integration.sink.mesh import Mesh
from tests.integration.sink.test_undo import muster
from tests.support.eventually import eventually
from tests.support.registry import session

pytestmark = [pytest.mark.integration]

WAR, ENTRY = "WorkloadAutoRegistration", "WorkloadEntry"


@pytest_asyncio.fixture(loop_scope="session")
async def mesh(kafka: str, kube: Path, tmp_path: Path) -> AsyncIterator[Mesh]:
    async with Mesh(kafka, kube, tmp_path) as made:
        yield made


async def told(mesh: Mesh, who: Introduction) -> list[Written]:
    """Return what was told of a workload."""
    key = who.key.to_bytes()
    found = [decode_written(value or b"") for of, value in await mesh.records(topics.ACTIONS) if of == key]
    return [one for one in found if isinstance(one, Written)]


async def shown(mesh: Mesh, plural: str, who: Introduction) -> Any:  # noqa: ANN401 - JSON
    """Return what people see."""
    return json.loads(await mesh.kubectl("get", plural, who.key.war_name, "-n", who.namespace, "-o", "json"))


async def last(mesh: Mesh, who: Introduction, kind: str, version: str) -> Written:
    """Wait until the last that was told of an object made this version."""

    async def so() -> Written | None:
        of = [one for one in await told(mesh, who) if one.kind == kind]
        return of[-1] if of and of[-1].resource_version == version else None

    return await eventually(so, f"{kind} to be told at {version}")


async def reconciled(mesh: Mesh) -> float:
    _, text = await mesh.page("metrics")
    line = next(line for line in text.splitlines() if line.startswith("muster_sink_reconciles_total"))
    return float(line.split()[1])


async def test_each_version_that_is_told_is_that_of_the_object_from_the_join_to_the_removal(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))
    for kind, plural in ((WAR, "war"), (ENTRY, "workloadentries")):
        made = (await shown(mesh, plural, who))["metadata"]
        assert (await last(mesh, who, kind, made["resourceVersion"])).uid == made["uid"]

    state = await mesh.say(who, Presence.ABSENT)
    await mesh.healthy(who, healthy=False)
    absent = await shown(mesh, "war", who)
    condition = next(one for one in absent["status"]["conditions"] if one["type"] == "AgentConnected")
    version = absent["metadata"]["resourceVersion"]
    status = await last(mesh, who, WAR, version)
    assert (status.action, status.presence, status.revision) == (Verb.STATUS, Presence.ABSENT, state.revision)
    [said] = status.conditions
    assert (said.type, said.status, said.reason) == ("AgentConnected", condition["status"], condition["reason"])

    # The object goes on; what is told of it then stays.
    await mesh.say(who)
    await mesh.healthy(who, healthy=True)
    final = (await shown(mesh, "war", who))["metadata"]
    assert final["resourceVersion"] != version
    await mesh.say(who, Presence.REMOVED)
    await mesh.answered(who, Ended, session(1))
    assert await mesh.stop() == 0, "what waits is told before it ends"
    [gone] = [one for one in await told(mesh, who) if one.action is Verb.DELETE]
    assert (gone.kind, gone.uid, gone.resource_version) == (WAR, final["uid"], final["resourceVersion"])

    story = await muster(mesh, "explain", "/".join(who.key))
    name = f"{who.namespace}/{who.key.war_name}"
    assert (
        f"status of war {name}: AgentConnected False (AgentMissedWindows), resourceVersion {version}, of the state at "
        f"{state.partition}:{state.revision}" in story.out
    )
    assert f"deletion of war {name}: removed (GracePeriodExpired), at resourceVersion" in story.out
    printed = await muster(mesh, "events", "cat", "-t", topics.ACTIONS, "-n", who.namespace)
    assert f"AgentConnected False (AgentMissedWindows), resourceVersion {version}" in printed.out


async def test_a_steady_state_tells_nothing(mesh: Mesh) -> None:
    """Everything is looked at again each second; whoever restarts the sink reads no news either."""
    await mesh.start()
    who = mesh.who(2)
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))
    await last(mesh, who, WAR, (await shown(mesh, "war", who))["metadata"]["resourceVersion"])
    before = await told(mesh, who)
    assert [one.action for one in before if one.kind == WAR] == [Verb.CREATE, Verb.STATUS]
    assert await mesh.stop() == 0
    await mesh.start()

    known = {key for key, _ in await mesh.records(topics.WORKLOADS)}

    async def looked_twice() -> bool:
        return await reconciled(mesh) >= 3 * len(known)

    await eventually(looked_twice, "two looks at everything")
    assert await mesh.stop() == 0
    assert await told(mesh, who) == before
