"""What the agent's two clients of Kafka share: how keys are placed, and how often they retry."""

from aiokafka.partitioner import DefaultPartitioner

RETRY_MS = 500
"""aiokafka logs every attempt while the broker is away, so let there be few."""


def place(key: bytes, partitions: int) -> int:
    """Return the partition of a key: the murmur2 placement that Kafka's own clients have."""
    numbers = list(range(partitions))
    number: int = DefaultPartitioner()(key, numbers, numbers)
    return number
