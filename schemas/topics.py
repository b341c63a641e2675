"""The topics: their names, partitions, and the settings Muster depends on.

``muster topics apply`` creates them or checks them. Partition counts of events, workloads and the processor's
table are equal, so that a workload's records stay in one partition number all the way (DESIGN.md, "Topics").
"""

from typing import NamedTuple

EVENTS = "muster.events"
WORKLOADS = "muster.workloads"
REGISTRATIONS = "muster.registrations"
ACTIONS = "muster.actions"
REJECTED = "muster.rejected"
REMOVALS = "muster.removals"
RESTORES = "muster.restores"
PROCESSOR_APP = "muster-processor"
"""The Faust application id, and so the consumer group of the processors."""
PRESENCE_TABLE = "presence"
PRESENCE_CHANGELOG = f"{PROCESSOR_APP}-{PRESENCE_TABLE}-changelog"

_DAY_MS = 24 * 3600 * 1000
COMPACTION_LAG_MS = 3600 * 1000
"""How long what the processor wrote is safe from compaction: it tells everything again twice within this."""
DEFAULT_PARTITIONS = 4
DEFAULT_RETENTION_DAYS = 7
REMOVALS_KEPT_DAYS = 30
"""So long a removal is known, and can be undone."""


class TopicDefinition(NamedTuple):
    """One topic: ``config`` has only what Muster depends on; everything else is the cluster's business."""

    name: str
    partitions: int
    config: dict[str, str]


def definitions(
    partitions: int = DEFAULT_PARTITIONS, retention_days: int = DEFAULT_RETENTION_DAYS
) -> tuple[TopicDefinition, ...]:
    """Return all topics. ``partitions`` holds for all but ``muster.rejected``, which people read in one piece."""
    append_time = {"message.timestamp.type": "LogAppendTime"}
    compacted = {
        **append_time,
        "cleanup.policy": "compact",
        # Recovery and the sink read these from the start: keep the uncompacted tail short.
        "segment.ms": str(3600 * 1000),
        "min.cleanable.dirty.ratio": "0.1",
        # A reader that was away this long still sees every tombstone.
        "delete.retention.ms": str(7 * _DAY_MS),
    }
    # A zombie owner's late row must not be all that is left of a key before its owner told it again (ADR 0004).
    told_again = {**compacted, "min.compaction.lag.ms": str(COMPACTION_LAG_MS)}
    # The row of a partition names everybody who is missing: room for some 80 000 of them.
    changelog = {**told_again, "max.message.bytes": str(8 * 1024 * 1024)}
    kept = {**compacted, "cleanup.policy": "compact,delete", "retention.ms": str(REMOVALS_KEPT_DAYS * _DAY_MS)}
    retention = str(retention_days * _DAY_MS)
    logged = {**append_time, "cleanup.policy": "delete", "retention.ms": retention}
    return (
        TopicDefinition(EVENTS, partitions, logged),
        TopicDefinition(WORKLOADS, partitions, told_again),
        TopicDefinition(REGISTRATIONS, partitions, compacted),
        # As long as the log that it belongs to.
        TopicDefinition(ACTIONS, partitions, logged),
        TopicDefinition(REMOVALS, partitions, kept),
        TopicDefinition(RESTORES, partitions, kept),
        TopicDefinition(PRESENCE_CHANGELOG, partitions, changelog),
        # Room for the largest record Kafka takes by default, in base64, and its envelope.
        TopicDefinition(
            REJECTED,
            1,
            {
                **append_time,
                "cleanup.policy": "delete",
                "retention.ms": retention,
                "max.message.bytes": "4194304",
            },
        ),
    )
