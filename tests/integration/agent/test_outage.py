"""Kafka away: at the start, later, and at the end; the agent waits, says so, and goes on."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas import topics
from schemas.events import Connect, Disconnect
from services.local.kafka import Kafka
from tests.integration.agent.conftest import Launch, Machine, Wire, topics_exist
from tests.support.backend import BACKEND

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kafka]:
    """A broker of this module's own: it is killed here, and others must not notice."""
    if BACKEND != "local":
        pytest.skip(f"restarts a broker of the local stack; MUSTER_TEST_BACKEND={BACKEND}")
    broker = Kafka(tmp_path_factory.mktemp("broker"))
    await broker.start()
    await topics_exist(broker.bootstrap_servers)
    yield broker
    await broker.kill()


@pytest.fixture(scope="module")
def kafka_address(broker: Kafka) -> str:
    """Agents of this module talk to its own broker."""
    return broker.bootstrap_servers


async def test_a_broker_that_dies_costs_old_heartbeats_and_nothing_else(
    broker: Kafka, vm: Machine, wire: Wire, launch: Launch
) -> None:
    """The same session goes on afterwards, where its sequence stood: an outage does not use up its hash chain."""
    agent = launch(vm.config)
    before = len(await wire.heartbeats(vm.key, 3))
    await broker.kill()
    await agent.logged("Kafka is unreachable; heartbeats wait until it is back")
    # The next heartbeats are not sent, and nothing tells so: let some fall due.
    await asyncio.sleep(1.0)
    await broker.start()
    await agent.logged("Kafka is reachable again")
    await wire.heartbeats(vm.key, before + 10)
    agent.signal(signal.SIGTERM)
    assert await agent.ended() == 0, agent.log
    events = await wire.until_goodbye(vm.key)
    assert len({event.session for event in events}) == 1
    numbers = [event.seq for event in events]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] + 1 - len(numbers) <= 20, "no more were dropped than fell due before Kafka was missed"
    assert agent.log.count("Kafka is unreachable") == 1
    assert agent.log.count("Kafka is reachable again") == 1


async def test_an_agent_started_without_a_broker_waits_for_it(
    broker: Kafka, vm: Machine, wire: Wire, launch: Launch
) -> None:
    await broker.stop()
    agent = launch(vm.config)
    await agent.logged("waiting for Kafka")
    await broker.start()
    await wire.heartbeats(vm.key, 2)
    assert isinstance((await wire.said(vm.key))[0], Connect)


async def test_an_agent_that_waits_for_the_broker_can_be_stopped(broker: Kafka, vm: Machine, launch: Launch) -> None:
    await broker.stop()
    try:
        agent = launch(vm.config)
        await agent.logged("waiting for Kafka")
        agent.signal(signal.SIGTERM)
        assert await agent.ended() == 0, agent.log
    finally:
        await broker.start()


async def test_a_goodbye_that_cannot_be_delivered_is_given_up_in_bounded_time(
    broker: Kafka, vm: Machine, wire: Wire, launch: Launch
) -> None:
    agent = launch(vm.config)
    await wire.heartbeats(vm.key, 2)
    await broker.stop()
    try:
        await agent.logged("Kafka is unreachable")
        agent.signal(signal.SIGTERM)
        assert await agent.ended() == 0, agent.log
        assert "leaving without a goodbye" in agent.log
    finally:
        await broker.start()


async def test_a_connect_is_kept_until_the_broker_is_back(
    broker: Kafka, vm: Machine, wire: Wire, launch: Launch
) -> None:
    """The broker dies between the end of a registration and the connect of the next session."""
    agent = launch(vm.config | {"pacing": {"heartbeat_seconds": 0.2, "backoff_seconds": 4}})
    (connect,) = await wire.connects(vm.key)
    await wire.answer(vm.key, vm.ended(connect.session))
    await agent.logged("a new session begins")
    await broker.stop()
    await agent.logged("Kafka is unreachable")
    await broker.start()
    first, second = await wire.connects(vm.key, 2)
    assert first.session != second.session
    assert not [event for event in await wire.said(vm.key) if isinstance(event, Disconnect)]
    await wire.heartbeats(vm.key, 1)


async def test_events_that_kafka_refuses_are_sent_again_when_it_takes_them(
    broker: Kafka, vm: Machine, wire: Wire, launch: Launch
) -> None:
    """A topic that takes no record of this size fails the producer for good; another one delivers the connect."""
    await _configure(broker, "max.message.bytes", "10")
    agent = launch(vm.config)
    await agent.logged("replacing the Kafka producer", times=2)
    assert await wire.said(vm.key) == []
    await _configure(broker, "max.message.bytes", "1048588")
    await wire.connects(vm.key)
    await wire.heartbeats(vm.key, 2)
    assert isinstance((await wire.said(vm.key))[0], Connect)


async def _configure(broker: Kafka, name: str, value: str) -> None:
    """Change one setting of muster.events."""
    definition = next(topic for topic in topics.definitions() if topic.name == topics.EVENTS)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    resource = ConfigResource(ConfigResourceType.TOPIC, topics.EVENTS, configs=definition.config | {name: value})
    await admin.alter_configs([resource])
    await admin.close()
