"""A fleet too small for the brake of any partition is cut off from its observer: nothing is taken from it.

Eight workloads over all partitions: the processor marks each absent and, after its grace, removed. The sink sees that
all fell silent together, keeps registrations and traffic, and all are back when they can be heard again.
"""

import os
import signal
from pathlib import Path

import pytest
from kubernetes.aio import client

from schemas import topics
from schemas.codec import decode_workload
from schemas.resource import ConditionType
from schemas.workloads import Presence, Workload
from services.agent.fleet import introductions
from services.agent.settings import FleetSettings
from services.local.kafka import Kafka
from services.runtime import topics as topic_admin
from services.sink.core.health import gets_traffic
from tests.integration.world import War, World
from tests.support.eventually import eventually

SIZE, SEED = 8, 11


@pytest.mark.integration
async def test_a_small_fleet_that_is_cut_off_loses_neither_registration_nor_traffic(
    kafka_process: Kafka, kube: Path, tmp_path: Path
) -> None:
    async with World(kafka_process, kube, tmp_path) as world:
        await topic_admin.apply(world.settings)
        await world.ready(world.processor())
        await world.ready(world.start("sink", "sink", fleet__respite_seconds=2))
        fleet = world.fleet("small", SIZE, SEED, world.groups)
        settings = FleetSettings(size=SIZE, seed=SEED, groups=world.groups)
        keys = {introduction.key.to_bytes() for introduction in introductions(settings)}
        await world.connected(keys, "True")
        before = {key: war.uid for key, war in (await world.wars()).items()}
        os.kill(fleet.pid, signal.SIGSTOP)
        await removed(world, keys)
        assert {key: war.uid for key, war in (await suspended(world, keys)).items()} == before
        assert await with_traffic(world) == len(keys)
        os.kill(fleet.pid, signal.SIGCONT)
        await world.connected(keys, "True")
        assert {key: war.uid for key, war in (await world.wars()).items()} == before


async def removed(world: World, keys: set[bytes]) -> None:
    """Wait until the processor has removed all of them."""

    async def so() -> bool:
        world.all_run()
        newest: dict[bytes, Workload] = {}
        for records in (await world.records(topics.WORKLOADS)).values():
            for record in records:
                if record.key in keys and record.value is not None:
                    state = decode_workload(record.value)
                    assert isinstance(state, Workload)
                    newest[record.key] = state
        return {state.presence for state in newest.values()} == {Presence.REMOVED}

    await eventually(so, "the processor to remove all", within_s=60, every_s=0.5)


async def suspended(world: World, keys: set[bytes]) -> dict[bytes, War]:
    """Wait until each registration says that nothing is taken from it; return them."""

    async def so() -> dict[bytes, War] | None:
        wars = await world.wars()
        said = {key for key, war in wars.items() if war.condition(ConditionType.REMOVAL_SUSPENDED) is not None}
        return dict(wars) if said == keys else None

    return await eventually(so, "removals to be suspended", within_s=30, every_s=0.25)


async def with_traffic(world: World) -> int:
    """Return how many entries istiod takes for healthy."""
    found = 0
    for namespace in world.namespaces:
        listed = await client.CustomObjectsApi(world.api).list_namespaced_custom_object(
            "networking.istio.io", "v1", namespace, "workloadentries"
        )
        found += sum(gets_traffic(item) for item in listed["items"])
    return found
