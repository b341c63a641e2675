"""A fleet on a real Kafka: many agents, each with the session of the real one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from schemas.events import Connect, Disconnect
from services.agent.core.moves import State
from services.agent.fleet import Fleet
from services.agent.settings import FleetSettings, PacingSettings
from services.runtime.config import HttpSettings, KafkaSettings
from services.runtime.health import Health
from tests.integration.agent.conftest import Wire
from tests.support.eventually import eventually
from tests.support.sessions import answer_to

pytestmark = pytest.mark.integration
SIZE = 200


@pytest.fixture
def settings(kafka_address: str) -> FleetSettings:
    return FleetSettings(
        size=SIZE,
        groups=("bookinfo/ratings", "shop/cart"),
        seed=4711,
        start_per_second=1000,
        kafka=KafkaSettings(bootstrap_servers=kafka_address),
        pacing=PacingSettings(heartbeat_seconds=0.5, backoff_seconds=0.1, drain_seconds=10),
    )


@pytest_asyncio.fixture(loop_scope="session")
async def fleet(settings: FleetSettings) -> AsyncIterator[Fleet]:
    """Run a fleet; it has said goodbye when the fixture is over."""
    stopping = asyncio.Event()
    fleet = Fleet(settings, Health("fleet", HttpSettings(port=None)))
    running = asyncio.create_task(fleet.run(stopping))
    yield fleet
    stopping.set()
    await running
    assert fleet.roster.states() == Counter({State.CLOSED: len(fleet.roster.members)})


async def sessions_of(fleet: Fleet, wire: Wire) -> dict[bytes, str]:
    """Wait until every agent of the fleet has connected; return their sessions."""

    async def all_there() -> dict[bytes, str] | None:
        found: dict[bytes, str] = {}
        for introduction in fleet.introductions:
            key = introduction.key.to_bytes()
            connects = [event for event in wire.seen(key) if isinstance(event, Connect)]
            found |= {key: connects[-1].session} if connects else {}
        await wire.said(b"")
        return found if len(found) == SIZE else None

    return await eventually(all_there, f"{SIZE} agents to connect")


async def test_all_agents_of_a_fleet_connect_as_different_machines_and_are_registered(fleet: Fleet, wire: Wire) -> None:
    sessions = await sessions_of(fleet, wire)
    assert len(set(sessions.values())) == SIZE
    assert Counter(key.split(b"/")[0] for key in sessions) == {b"bookinfo": SIZE // 2, b"shop": SIZE // 2}
    for key, session in sessions.items():
        await wire.answer(key, answer_to(session, "registered"))

    async def all_registered() -> bool:
        return fleet.roster.states() == Counter({State.REGISTERED: SIZE})

    await eventually(all_registered, "all to be registered")


async def test_a_deleted_registration_is_followed_by_a_new_session_of_that_agent_alone(
    fleet: Fleet, wire: Wire
) -> None:
    sessions = await sessions_of(fleet, wire)
    key, session = next(iter(sessions.items()))
    await wire.answer(key, answer_to(session, "ended"))
    first, second = await wire.connects(key, 2)
    assert first.session != second.session
    assert fleet.roster.states() == Counter({State.CONNECTING: SIZE})


async def test_agents_leave_with_a_goodbye_vanish_without_one_and_join_again(fleet: Fleet, wire: Wire) -> None:
    await sessions_of(fleet, wire)
    leaver, vanisher = (introduction.key.to_bytes() for introduction in fleet.introductions[:2])
    fleet.leave(0)
    fleet.silence(1)
    assert isinstance((await wire.until_goodbye(leaver))[-1], Disconnect)
    said = len(await wire.said(vanisher))
    await wire.heartbeats(fleet.introductions[2].key.to_bytes(), len(wire.seen(vanisher)) + 3)
    assert len(wire.seen(vanisher)) == said
    assert not any(isinstance(event, Disconnect) for event in wire.seen(vanisher))
    fleet.join(0)
    fleet.join(1)
    await wire.connects(leaver, 2)
    await wire.connects(vanisher, 2)
