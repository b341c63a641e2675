"""Who is refused can be seen with kubectl, and hears why: the whole of Muster on real parts (ADR 0012)."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
import yaml
from kubernetes.aio import client

from schemas import attempts, policies, resource
from schemas.attempts import AttemptStatus, Standing
from schemas.names import WorkloadKey
from services.identity.issuing import Issued, Mint, machine
from services.local import crds
from services.local.kafka import Kafka
from services.runtime import topics as topic_admin
from services.sink.core.attempt import place
from tests.integration.world import War, World
from tests.support.eventually import eventually

ZONE, ACCOUNT, OTHERS = "us-east-2b", "123456789012", "999999999999"


@pytest_asyncio.fixture(loop_scope="session")
async def world(kafka_process: Kafka, kube: Path, tmp_path: Path) -> AsyncIterator[World]:
    async with World(kafka_process, kube, tmp_path) as made:
        await topic_admin.apply(made.settings)
        await made.ready(made.processor())
        await made.ready(made.start("sink", "sink", attempts__rewrite_seconds=0.5))
        yield made


def _told(world: World, name: str, issued: Issued, ip: str) -> Path:
    """Write the identity file of a machine."""
    file = world.folder / f"{name}.yaml"
    half = file.with_suffix(".new")
    host = {"addresses": [{"ip": ip, "type": "VPC"}]}
    half.write_text(
        yaml.safe_dump({**issued.model_dump(mode="json", exclude_none=True), "registration": {"host": host}})
    )
    half.replace(file)
    return file


async def _attempt(world: World, key: WorkloadKey, standing: Standing) -> dict[str, Any] | None:
    namespace, name = place(key, standing)
    listed = await client.CustomObjectsApi(world.api).list_namespaced_custom_object(
        attempts.GROUP, attempts.API_VERSION, namespace, attempts.PLURAL
    )
    return next((item for item in listed["items"] if item["metadata"]["name"] == name), None)


async def _shown(world: World, key: WorkloadKey, standing: Standing) -> dict[str, Any]:
    async def so() -> dict[str, Any] | None:
        world.all_run()
        return await _attempt(world, key, standing)

    return await eventually(so, f"an attempt of {key.war_name}", within_s=60)


async def _gone(world: World, key: WorkloadKey, standing: Standing) -> None:
    async def so() -> bool:
        return await _attempt(world, key, standing) is None

    await eventually(so, f"no attempt of {key.war_name} any more", within_s=60)


async def _kubectl(world: World, *arguments: str) -> str:
    command = [crds.kubectl(), "--kubeconfig", str(world.kubeconfig), *arguments]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    return done.stdout


async def _allow(world: World, namespace: str, account: str) -> None:
    """Have the namespace's policy allow machines of this account only."""
    clause = {"aws": {"accounts": [account], "ec2": {}}}
    body = {"spec": {"allow": [{"workloads": [clause], "onboardTo": [{"workloadGroupSelector": {}}]}]}}
    await client.CustomObjectsApi(world.api).patch_namespaced_custom_object(
        *(policies.GROUP, policies.API_VERSION, namespace, policies.PLURAL, "machines"),
        body,
        _content_type="application/merge-patch+json",
    )


async def test_a_bad_credential_is_shown_and_told_until_it_is_a_good_one(world: World) -> None:
    namespace, instance = world.namespaces[0], "i-0000000000000000a"
    bad = machine(Mint(world.folder / "others"), instance, ZONE, ACCOUNT)
    file = _told(world, "forger", bad, "10.0.0.9")
    agent = world.agent("forger", file, f"{namespace}/ratings")
    key = WorkloadKey(namespace, "ratings", bad.identity.name)
    shown = await _shown(world, key, Standing.UNVERIFIED)
    status = AttemptStatus.model_validate(shown["status"])
    assert shown["spec"]["workloadGroup"] == "ratings"
    assert shown["spec"]["identity"]["aws"]["ec2"]["instanceId"] == instance
    assert status.reason == "IdentityNotVerified"
    assert status.message.startswith("Credential"), status.message
    assert [one.ip for one in status.addresses] == ["10.0.0.9"]

    async def told() -> bool:
        return "IdentityNotVerified" in agent.log.read_text()

    await eventually(told, "the agent to hear why")
    header, row = (await _kubectl(world, "get", "oa", "-n", namespace)).splitlines()
    assert header.split() == ["NAME", "GROUP", "REASON", "ATTEMPTS", "LAST", "AGE"]
    assert row.split()[:3] == [f"{key.war_name}--unverified", "ratings", "IdentityNotVerified"]
    assert key.to_bytes() not in await world.wars()

    _told(world, "forger", machine(world.mint, instance, ZONE, ACCOUNT), "10.0.0.9")
    await world.connected([key.to_bytes()], "True")
    await _gone(world, key, Standing.UNVERIFIED)


async def test_a_refusal_by_policy_shows_what_was_expected_and_received_until_a_policy_allows_it(world: World) -> None:
    namespace = world.namespaces[1]
    await _allow(world, namespace, OTHERS)
    issued = machine(world.mint, "i-0000000000000000b", ZONE, ACCOUNT)
    world.agent("stranger", _told(world, "stranger", issued, "10.0.0.10"), f"{namespace}/ratings")
    key = WorkloadKey(namespace, "ratings", issued.identity.name)
    shown = await _shown(world, key, Standing.VERIFIED)
    status = AttemptStatus.model_validate(shown["status"])
    assert (status.reason, status.attempts) == ("NotAllowedByPolicy", 1)
    assert status.failed_clause is not None
    assert status.failed_clause.policy == "machines"
    assert status.failed_clause.clause == "spec.allow[0].workloads[0].aws.accounts"
    assert (status.failed_clause.expected, status.failed_clause.received) == (OTHERS, ACCOUNT)
    described = await _kubectl(world, "describe", "oa", "-n", namespace, key.war_name)
    assert f"Expected:  {OTHERS}" in described
    assert f"Received:  {ACCOUNT}" in described

    await _allow(world, namespace, ACCOUNT)
    await world.connected([key.to_bytes()], "True")
    await _gone(world, key, Standing.VERIFIED)


async def test_a_twin_is_shown_with_both_addresses_and_the_living_machine_stays(world: World) -> None:
    namespace = world.namespaces[0]
    issued = machine(world.mint, "i-0000000000000000c", ZONE, ACCOUNT)
    key = WorkloadKey(namespace, "ratings", issued.identity.name)
    world.agent("living", _told(world, "living", issued, "10.0.0.11"), f"{namespace}/ratings")
    await world.connected([key.to_bytes()], "True")
    before = (await world.wars())[key.to_bytes()]
    twin = world.agent("twin", _told(world, "twin", issued, "10.0.0.12"), f"{namespace}/ratings")

    async def doubted() -> War | None:
        world.all_run()
        war = (await world.wars())[key.to_bytes()]
        return war if war.condition(resource.ConditionType.DUPLICATE_IDENTITY) is not None else None

    war = await eventually(doubted, "the WAR to tell of the twin", within_s=60)
    condition = war.condition(resource.ConditionType.DUPLICATE_IDENTITY)
    assert condition is not None
    assert condition.status == "True"
    assert "10.0.0.11" in condition.message
    assert "10.0.0.12" in condition.message
    shown = await _shown(world, key, Standing.DUPLICATE)
    assert [one["ip"] for one in shown["status"]["addresses"]] == ["10.0.0.12"]

    async def told() -> bool:
        return "DuplicateIdentity" in twin.log.read_text()

    await eventually(told, "the twin to hear why")
    after = (await world.wars())[key.to_bytes()]
    assert (after.uid, after.status.session) == (before.uid, before.status.session)
    connected = after.condition(resource.ConditionType.AGENT_CONNECTED)
    assert connected is not None
    assert connected.status == "True"
