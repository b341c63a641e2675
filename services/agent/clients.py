"""What the agent's two clients of Kafka share: how keys are placed, how often they retry, how they are stopped."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

RETRY_MS = 500
"""aiokafka logs every attempt while the broker is away, so let there be few."""
_CLOSE_S = 2.0


def place(key: bytes, partitions: int) -> int:
    """Return the partition of a key: the murmur2 placement that Kafka's own clients have."""
    numbers = list(range(partitions))
    number: int = DefaultPartitioner()(key, numbers, numbers)
    return number


async def close(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Stop a client within a bounded time: alone it waits for a broker that is away, or ends in CancelledError."""
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait({stopping}, timeout=_CLOSE_S)
    stopping.cancel()
