"""A house of workers for each test, on a Kafka of the module or of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import definitions
from services.local.kafka import Kafka
from services.runtime.config import KafkaSettings
from services.runtime.topics import apply
from tests.integration.processor.house import House
from tests.support.eventually import eventually

PARTITIONS = 2


async def _emptied(settings: KafkaSettings) -> None:
    """Delete the topics that an earlier test left; Kafka forgets what was committed of them."""
    admin = AIOKafkaAdminClient(**settings.client_args())
    await admin.start()
    try:
        ours = {definition.name for definition in definitions()} & set(await admin.list_topics())
        if not ours:
            return
        await admin.delete_topics(sorted(ours))

        async def gone() -> bool:
            return not ours & set(await admin.list_topics())

        await eventually(gone, "the topics to be deleted")
    finally:
        await admin.close()


async def _opened(bootstrap_servers: str, folder: Path) -> House:
    house = House(bootstrap_servers, folder, PARTITIONS)
    await _emptied(house.settings)
    await apply(house.settings, partitions=PARTITIONS)
    await house.producer.start()
    return house


@pytest.fixture
async def house(kafka: str, tmp_path: Path) -> AsyncIterator[House]:
    """Empty topics, and nobody there yet."""
    house = await _opened(kafka, tmp_path)
    yield house
    await house.close()


@pytest.fixture
async def shaky_house(kafka_process: Kafka, tmp_path: Path) -> AsyncIterator[tuple[House, Kafka]]:
    """The same on a Kafka that the test may kill."""
    house = await _opened(kafka_process.bootstrap_servers, tmp_path)
    yield house, kafka_process
    await house.close()
