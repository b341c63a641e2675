"""Agents → Kafka → processor → sink → Kubernetes, on real parts, through everything that befalls them.

200 workloads in four WorkloadGroups. In the end three accounts of them are compared field by field: the topic
``muster.workloads``, the objects in Kubernetes, and the oracle's offline fold of ``muster.events``; and `muster replay`
has to say the same as the first two.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from schemas import topics
from schemas.workloads import Presence
from services.agent.fleet import introductions
from services.agent.settings import FleetSettings
from services.local.child import Child
from services.local.kafka import Kafka
from services.runtime import topics as topic_admin
from tests.integration import evidence
from tests.integration.replayed import replay_disagreements
from tests.integration.world import World
from tests.support.eventually import eventually

STEADY, DYING, RETURNING, LEAVING, LATE = (140, 1), (16, 2), (16, 3), (14, 4), (14, 5)
"""Size and seed of each fleet: there all the time; killed for good; killed and back; gone in order and back; late."""


def keys_of(world: World, *fleets: tuple[int, int]) -> set[bytes]:
    settings = [FleetSettings(size=size, seed=seed, groups=world.groups) for size, seed in fleets]
    return {introduction.key.to_bytes() for fleet in settings for introduction in introductions(fleet)}


@pytest.mark.integration
async def test_whatever_befalls_the_parts_all_accounts_agree_and_nobody_is_wronged(
    kafka_process: Kafka, kube: Path, tmp_path: Path
) -> None:
    async with World(kafka_process, kube, tmp_path) as world:
        await topic_admin.apply(world.settings)
        steady, *away = await everybody_joins(world)
        await agents_go_while_the_processor_is_killed(world, away)
        await workers_come_and_the_sink_is_killed(world)
        await the_broker_restarts_with_its_data(world)
        await all_accounts_agree(world)
        assert steady.running
        await all_is_still(world)
        assert not await disagreements(world)
        assert not await replay_disagreements(world, len(keys_of(world, STEADY, DYING, RETURNING, LEAVING, LATE)))


async def everybody_joins(world: World) -> tuple[Child, Child, Child, Child]:
    """Start one processor, one sink and all fleets but the late one; all have their WARs."""
    await world.ready(world.processor())
    await world.ready(world.sink())
    fleets = (
        world.fleet("steady", *STEADY, world.groups),
        world.fleet("dying", *DYING, world.groups),
        world.fleet("returning", *RETURNING, world.groups),
        world.fleet("leaving", *LEAVING, world.groups),
    )
    await world.connected(keys_of(world, STEADY, DYING, RETURNING, LEAVING), "True")
    return fleets


async def agents_go_while_the_processor_is_killed(world: World, away: list[Child]) -> None:
    """Let agents die and leave, and kill the processor in the midst of it: its successor finds them all out."""
    dying, returning, leaving = away
    await world.kill(dying)
    await world.stop(leaving)
    await world.kill(world.child("processor"))
    await world.kill(returning)
    await world.ready(world.processor())
    await world.connected(keys_of(world, DYING, RETURNING), "False")


async def workers_come_and_the_sink_is_killed(world: World) -> None:
    """Let a second worker join, agents come late and back meanwhile, and the sink miss some of it."""
    world.fleet("late", *LATE, world.groups)
    world.fleet("returning", *RETURNING, world.groups)
    second = world.processor()
    await world.kill(world.child("sink"))
    await eventually(shared_by(world, 2), "two workers to share the partitions", within_s=60)
    await world.ready(second)
    await world.ready(world.sink())
    await world.connected(keys_of(world, LATE, RETURNING), "True")


async def the_broker_restarts_with_its_data(world: World) -> None:
    """Restart the broker hard; those who died are removed, those who left come back, and the second worker goes."""
    await world.broker.kill()
    await world.broker.start()
    await world.connected(keys_of(world, DYING, LEAVING), None)
    world.fleet("leaving", *LEAVING, world.groups)
    await world.connected(keys_of(world, LEAVING), "True")
    await world.stop(world.child("processor"))
    await eventually(shared_by(world, 1), "one worker to have all partitions", within_s=60)
    await world.connected(keys_of(world, STEADY), "True")


async def all_is_still(world: World) -> None:
    """End the ticks first, then the agents, without goodbye: nothing is appended any more."""
    await world.stop(world.child("processor"))
    for child in world.children:
        if child.running and "fleet" in child.name:
            await world.kill(child)


def shared_by(world: World, workers: int) -> Callable[[], Awaitable[bool]]:
    async def so() -> bool:
        shares = await world.shares()
        return len(shares) == workers and all(shares) and sum(shares) == topics.DEFAULT_PARTITIONS

    return so


async def all_accounts_agree(world: World, within_s: float = 30) -> None:
    """Wait until what is underway has arrived; say what still differs if it has not in time."""
    found = ""

    async def so() -> bool:
        nonlocal found
        found = await disagreements(world)
        return not found

    try:
        await eventually(so, "all accounts to agree", within_s=within_s, every_s=0.5)
    except AssertionError as late:
        raise AssertionError(f"{late}\n{found}\nlogs: {world.folder}") from None


async def disagreements(world: World) -> str:
    """Return everything in which the three accounts differ, or in which somebody was wronged."""
    told = evidence.workloads(await world.records(topics.WORKLOADS))
    answers = evidence.answers_of(await world.records(topics.REGISTRATIONS))
    wars = await world.wars()
    verdicts = await world.judged()
    known = evidence.newest(told)
    named = {(key.decode().split("/")[0], evidence.war_name(key)) for key in wars}
    found = [
        *evidence.final_against_oracle(known, verdicts),
        *evidence.told_against_oracle(told, verdicts),
        *evidence.wars_against_told(wars, known, answers),
        # The sink was killed when it had nothing to write: what it told last is what there is.
        *evidence.wars_against_actions(wars, await world.records(topics.ACTIONS)),
        *evidence.wronged(verdicts, told, keys_of(world, STEADY)),
        *(f"{offset}: rejected" for offset in verdicts.rejected),
        *(f"{entry}: WorkloadEntry and WAR are not both there" for entry in sorted(named ^ await world.entries())),
    ]
    dead = keys_of(world, DYING)
    for key in sorted(keys_of(world, STEADY, DYING, RETURNING, LEAVING, LATE)):
        expected = Presence.REMOVED if key in dead else Presence.CONNECTED
        if key not in known or known[key].presence is not expected:
            found.append(f"{key.decode()}: should be {expected.value} in the end, is {known.get(key)}")
    return "\n".join(found)
