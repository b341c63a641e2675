"""Everything over TLS and by password: the settings reach every client that Muster makes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from schemas.topics import WORKLOADS
from services.local.child import Child
from services.runtime.config import KafkaSettings
from services.runtime.kafka import read_to_end, reader
from services.runtime.topics import apply
from tests.integration.processes import Processes
from tests.support.eventually import eventually
from tests.support.secured import SecuredKafka

FLEET = 6
GROUP = "bookinfo/ratings"


@pytest_asyncio.fixture(loop_scope="session")
async def secured(tmp_path: Path) -> AsyncIterator[SecuredKafka]:
    broker = SecuredKafka(tmp_path / "kafka")
    await broker.kafka.start()
    yield broker
    await broker.kafka.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def processes(secured: SecuredKafka, kube: Path, tmp_path: Path) -> AsyncIterator[Processes]:
    made = Processes(secured.bootstrap_servers, kube, tmp_path)
    yield made
    for child in made.children:
        await child.kill()


def _settings(secured: SecuredKafka, **other: str) -> KafkaSettings:
    told = {"bootstrap_servers": secured.bootstrap_servers, **secured.settings, **other}
    return KafkaSettings.model_validate(told)


async def test_processor_sink_and_agents_work_over_tls_with_a_password(
    secured: SecuredKafka, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(secured)
    await apply(settings, 2, 1)
    for name, value in secured.settings.items():
        monkeypatch.setenv(f"MUSTER_KAFKA__{name.upper()}", value)
    for child in (processes.processor(), processes.sink()):
        await processes.ready(child)
    processes.fleet("all", FLEET, 1, (GROUP,))

    async def here() -> bool:
        processes.all_run()
        consumer = await reader(settings, WORKLOADS)
        try:
            return len({one.key async for chunk in read_to_end(consumer) for one in chunk}) == FLEET
        finally:
            await consumer.stop()

    await eventually(here, f"{FLEET} workloads on the roll")
    for child in processes.children:
        await processes.stop(child)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sasl_password": "guessed"}, "authentication"),
        ({"ssl_cafile": ""}, "certificate"),
        ({"security_protocol": "PLAINTEXT"}, "waiting for Kafka"),
    ],
    ids=["a wrong password", "an authority that is not trusted", "no TLS"],
)
async def test_who_may_not_come_in_says_why_and_waits(
    secured: SecuredKafka, processes: Processes, wrong: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**secured.settings, **wrong}.items():
        if value:
            monkeypatch.setenv(f"MUSTER_KAFKA__{name.upper()}", value)
    child: Child = processes.processor()

    async def told() -> bool:
        assert child.running, child.tail()
        return words.lower() in child.log.read_text().lower()

    await eventually(told, f"words about {words!r}")
    assert (await processes.http(child, "readyz"))[0] == 503
