"""``muster topics`` and the readers of topics, on a real Kafka. The tests of a module share it, so they go in order."""

import asyncio
import json
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from typer.testing import CliRunner, Result

from schemas.topics import EVENTS, REJECTED, WORKLOADS, definitions
from services.cli.main import app
from services.runtime.config import KafkaSettings
from services.runtime.topic_differences import Outcome
from services.runtime.topics import TopicsError, apply, check, required

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("restored_logs")]

NAMES = [topic.name for topic in definitions()]


@pytest.fixture
def settings(kafka: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=kafka)


async def _muster(*arguments: str) -> Result:
    """Run the command line, which has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def _alter(settings: KafkaSettings, topic: str, config: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(**settings.client_args())
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])
    finally:
        await admin.close()


async def _as_json(kafka: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = await _muster("topics", *arguments, "-o", "json", "--bootstrap-servers", kafka)
    return done.exit_code, {topic["name"]: topic for topic in json.loads(done.stdout)}


async def test_missing_topics_are_named_with_what_to_do(kafka: str) -> None:
    done = await _muster("topics", "check", "--bootstrap-servers", kafka)
    assert done.exit_code == 1
    for name in NAMES:
        assert f"{name}: missing; create it with: muster topics apply" in done.output


async def test_a_service_waits_for_its_topics_and_goes_on_when_they_exist(settings: KafkaSettings) -> None:
    waiting = asyncio.create_task(required(settings))
    await asyncio.sleep(0)
    results = await apply(settings, partitions=3)
    assert [result.outcome for result in results] == [Outcome.CREATED] * len(NAMES)
    assert await asyncio.wait_for(waiting, 30) == 3


async def test_what_was_created_is_what_was_defined(settings: KafkaSettings) -> None:
    results = await check(settings, partitions=3, retention_days=7)
    assert [(one.name, one.partitions, one.outcome, one.differences) for one in results] == [
        (topic.name, topic.partitions, Outcome.EXISTS, ()) for topic in definitions(3)
    ]


async def test_applying_again_changes_nothing(kafka: str) -> None:
    code, topics = await _as_json(kafka, "apply", "--partitions", "3")
    assert code == 0
    assert {topic["outcome"] for topic in topics.values()} == {"exists"}


async def test_check_takes_the_partitions_of_the_events_for_right(kafka: str) -> None:
    code, topics = await _as_json(kafka, "check")
    assert (code, topics[WORKLOADS]["partitions"], topics[REJECTED]["partitions"]) == (0, 3, 1)


async def test_another_number_of_partitions_is_a_difference_and_is_left_alone(kafka: str) -> None:
    code, topics = await _as_json(kafka, "apply", "--partitions", "5")
    assert code == 1
    [difference] = topics[EVENTS]["differences"]
    assert (difference["setting"], difference["expected"], difference["found"]) == ("partitions", "5", "3")
    assert "--alter --partitions 5" in difference["mend"]
    assert (await _as_json(kafka, "check"))[1][EVENTS]["partitions"] == 3


async def test_a_wrong_setting_is_told_with_the_command_that_mends_it(kafka: str, settings: KafkaSettings) -> None:
    await _alter(settings, WORKLOADS, {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"})
    done = await _muster("topics", "check", "--bootstrap-servers", kafka)
    assert done.exit_code == 1
    assert f"{WORKLOADS}: cleanup.policy is delete, expected compact; mend it with: kafka-configs.sh" in done.output
    assert f"--entity-name {WORKLOADS} --add-config cleanup.policy=compact" in done.output
    assert f"{EVENTS}:" not in done.output
    with pytest.raises(TopicsError, match=r"muster\.workloads: cleanup\.policy is delete, expected compact"):
        await required(settings)


async def test_a_cluster_without_enough_brokers_is_said_in_its_own_words(kafka: str, settings: KafkaSettings) -> None:
    admin = AIOKafkaAdminClient(**settings.client_args())
    await admin.start()
    await admin.delete_topics([REJECTED])
    await admin.close()
    done = await _muster(
        "topics", "apply", "--partitions", "3", "--replication-factor", "3", "--bootstrap-servers", kafka
    )
    assert done.exit_code == 1
    assert f"Kafka refused: {REJECTED}: Unable to replicate the partition 3 time(s)" in done.output
