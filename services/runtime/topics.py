"""The topics in Kafka: created as ``schemas.topics`` defines them, or compared with it and told apart.

An existing topic is never altered: what differs is told, with the command that would mend it, and is for people to do.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError

from schemas.topics import DEFAULT_PARTITIONS, DEFAULT_RETENTION_DAYS, TopicDefinition, definitions
from services.runtime.config import KafkaSettings
from services.runtime.health import Health
from services.runtime.kafka import answered, started
from services.runtime.topic_differences import FoundTopic, Outcome, TopicResult, compare, explained

RECHECK_S = 2.0
"""Pause between two looks at topics that are missing, seconds."""


class TopicsError(Exception):
    """Topics exist that Muster cannot work with; the text lists every difference."""

    def __init__(self, results: Sequence[TopicResult]) -> None:
        self.results = tuple(results)
        super().__init__("topics are not as Muster needs them:\n" + "\n".join(explained(self.results)))


class TopicRefusedError(Exception):
    """Kafka will not create or describe a topic: too few brokers, no permission; the text is Kafka's."""


async def apply(
    settings: KafkaSettings,
    partitions: int = DEFAULT_PARTITIONS,
    replication_factor: int = 1,
    retention_days: int = DEFAULT_RETENTION_DAYS,
) -> list[TopicResult]:
    """Create the topics that are missing; those that exist are compared and left alone."""
    async with _admin(settings) as admin:
        wanted = definitions(partitions, retention_days)
        before = await _compared(admin, wanted, settings)
        missing = {result.name for result in before if result.outcome is Outcome.MISSING}
        if not missing:
            return before
        new = [
            NewTopic(one.name, one.partitions, replication_factor, topic_configs=one.config)
            for one in wanted
            if one.name in missing
        ]
        response = await admin.create_topics(new)
        for name, code, message in response.topic_errors:
            # Another `apply` may have been faster: then it is compared like any other.
            if code == TopicAlreadyExistsError.errno:
                missing.discard(name)
            elif code:
                raise TopicRefusedError(f"{name}: {message}")
        return [
            TopicResult(one.name, one.partitions, Outcome.CREATED) if one.name in missing else result
            for one, result in zip(wanted, await _compared(admin, wanted, settings), strict=True)
        ]


async def check(
    settings: KafkaSettings, partitions: int | None = None, retention_days: int | None = None
) -> list[TopicResult]:
    """Compare all topics with their definitions.

    Where ``partitions`` is None, the count of ``muster.events`` is right and the others must have the same; where
    ``retention_days`` is None, any retention is.
    """
    async with _admin(settings) as admin:
        if partitions is None:
            events = definitions()[0].name
            found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
            partitions = found.get(events, DEFAULT_PARTITIONS)
        wanted = definitions(partitions, retention_days or DEFAULT_RETENTION_DAYS)
        if retention_days is None:
            for one in wanted:
                one.config.pop("retention.ms", None)
        return await _compared(admin, wanted, settings)


async def existing(settings: KafkaSettings, names: Iterable[str]) -> list[str]:
    """Return those of ``names`` that are topics, in their order: one made by a newer Muster may not be there yet."""
    async with _admin(settings) as admin:
        found = set(await answered(admin.list_topics, what="topics"))
    return [name for name in names if name in found]


async def required(settings: KafkaSettings, health: Health | None = None) -> int:
    """Wait until all topics exist and return the number of partitions; raise ``TopicsError`` where one is wrong.

    For services, at their start: a missing topic may yet be created, a wrong one is for people.
    """
    while True:
        results = await answered(check, settings, what="topics", health=health)
        wrong = [result for result in results if result.outcome is Outcome.DIFFERS]
        if wrong:
            raise TopicsError(wrong)
        missing = [result.name for result in results if result.outcome is Outcome.MISSING]
        why = f"waiting for topics {', '.join(missing)}: create them with `muster topics apply`" if missing else ""
        if health is not None:
            health.set("topics", ok=not missing, why=why)
        if not missing:
            return results[0].partitions
        structlog.get_logger().warning(why)
        await asyncio.sleep(RECHECK_S)


async def _compared(
    admin: AIOKafkaAdminClient, wanted: Sequence[TopicDefinition], settings: KafkaSettings
) -> list[TopicResult]:
    found = await _found(admin, {one.name for one in wanted})
    return [compare(one, found.get(one.name), settings.bootstrap_servers) for one in wanted]


async def _found(admin: AIOKafkaAdminClient, names: set[str]) -> dict[str, FoundTopic]:
    counts = {
        topic["topic"]: len(topic["partitions"])
        # All are asked for: asking for one by name would create it where the broker creates topics itself.
        for topic in await admin.describe_topics()
        if topic["topic"] in names
    }
    if not counts:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, None) for name in sorted(counts)]
    configs: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for code, message, _kind, name, entries in response.resources:
            if code:
                raise TopicRefusedError(f"{name}: {message}")
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return {name: FoundTopic(count, configs[name]) for name, count in counts.items()}


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**settings.client_args())
    try:
        yield await started(admin, "kafka admin")
    finally:
        await admin.close()
