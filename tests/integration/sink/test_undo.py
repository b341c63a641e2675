"""Removals that are undone, with `muster` itself, on a real Kafka and a real Kubernetes API."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest_asyncio

from schemas.registrations import Ended, Registered
from schemas.workloads import Presence
from services.sink.core.entry import RESTORED
from tests.integration.sink.mesh import PROGRAM, Mesh
from tests.support.eventually import eventually
from tests.support.registry import session


class Done(NamedTuple):
    """A run of the command line."""

    status: int
    out: str
    err: str


async def muster(mesh: Mesh, *arguments: str) -> Done:
    """Run a command, with nobody at the terminal."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, *arguments, "--bootstrap-servers", mesh.settings.bootstrap_servers),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "250"},
    )
    out, err = await asyncio.wait_for(child.communicate(), 60)
    return Done(child.returncode or 0, out.decode(), err.decode())


@pytest_asyncio.fixture(loop_scope="session")
async def mesh(kafka: str, kube: Path, tmp_path: Path) -> AsyncIterator[Mesh]:
    async with Mesh(kafka, kube, tmp_path) as made:
        yield made


async def test_a_removal_is_listed_restored_and_adopted_by_the_agent_that_speaks_again(mesh: Mesh) -> None:
    """Across a sink that is killed in between: the order is in a topic, and the next sink keeps it."""
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))
    war, before = await mesh.war(who), await mesh.entry(who)
    assert war is not None
    assert before is not None
    gone = await mesh.say(who, Presence.REMOVED)
    await mesh.answered(who, Ended, session(1))
    await mesh.gone(who)

    listed = await muster(mesh, "removals", "-n", mesh.namespace, "-o", "json")
    (one,) = json.loads(listed.out)
    assert one["state"] == "removed"
    assert one["removal"]["uid"] == war["metadata"]["uid"]
    assert one["removal"]["spec"] == war["spec"]
    assert (one["removal"]["partition"], one["removal"]["revision"]) == (gone.partition, gone.revision)

    name = who.key.war_name
    asked = await muster(mesh, "restore", name, "-n", mesh.namespace, "--why", "it is alive")
    assert asked.status == 2
    assert "there is nobody to ask, and nothing was written" in asked.err
    done = await muster(mesh, "restore", name, "-n", mesh.namespace, "--why", "it is alive", "--who", "ann", "--yes")
    assert done.status == 0, done.err
    restored = await eventually(lambda: mesh.entry(who), "the entry to be restored")
    assert restored["spec"] == before["spec"]
    assert restored["metadata"]["annotations"][f"{RESTORED}by"] == "ann"
    assert [one["kind"] for one in restored["metadata"]["ownerReferences"]] == ["WorkloadGroup"]
    assert await mesh.war(who) is None
    table = await muster(mesh, "removals", "-n", mesh.namespace)
    assert "restored until" in table.out
    told = await muster(mesh, "explain", "/".join(who.key))
    assert "of the removal at" in told.out
    assert "by ann: it is alive" in told.out

    assert mesh.sink is not None
    await mesh.sink.kill()
    await mesh.start()
    await mesh.say(mesh.who(version="v2.0.0"), of_session=2)
    await mesh.answered(who, Registered, session(2))
    adopted, new = await mesh.entry(who), await mesh.war(who)
    assert adopted is not None
    assert new is not None
    assert adopted["metadata"]["uid"] == restored["metadata"]["uid"]
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == new["metadata"]["uid"]
    assert f"{RESTORED}by" not in adopted["metadata"].get("annotations", {})
    late = await muster(mesh, "restore", name, "-n", mesh.namespace, "--why", "it is alive", "--yes")
    assert late.status == 1
    assert "its agent spoke after the removal" in late.err
    assert await mesh.stop() == 0


async def test_a_restored_entry_is_taken_back_when_its_time_is_over_also_by_the_next_sink(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who(2)
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))
    await mesh.say(who, Presence.REMOVED)
    await mesh.answered(who, Ended, session(1))
    await mesh.gone(who)
    name = ("/".join(who.key), "--why", "it is alive", "--yes")

    assert (await muster(mesh, "restore", *name, "--for", "3s")).status == 0
    await eventually(lambda: mesh.entry(who), "the entry to be restored")
    await mesh.gone(who)

    assert (await muster(mesh, "restore", *name, "--for", "6s")).status == 0
    await eventually(lambda: mesh.entry(who), "the entry to be restored again")
    assert mesh.sink is not None
    await mesh.sink.kill()
    await asyncio.sleep(6)
    assert await mesh.entry(who) is not None
    await mesh.start()
    await mesh.gone(who)
    listed = await muster(mesh, "removals", "-n", mesh.namespace)
    assert "was restored until" in listed.out
    assert await mesh.stop() == 0


async def test_what_was_never_removed_cannot_be_restored(mesh: Mesh) -> None:
    done = await muster(mesh, "restore", "nobody/nowhere/at-all", "--why", "test", "--yes")
    assert done.status == 1
    assert "no removal of nobody/nowhere/at-all is known" in done.err
