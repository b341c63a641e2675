"""The reference beside the processor: a consumer that follows the live log and looks at nothing, until it is ended."""

import asyncio
import sys

import uvloop

from schemas.topics import EVENTS
from services.runtime import kafka
from services.runtime.config import KafkaSettings

CHUNK = 2000


async def _follow(servers: str) -> None:
    consumer = await kafka.reader(KafkaSettings(bootstrap_servers=servers), EVENTS, start="end")
    while True:
        await consumer.getmany(timeout_ms=1000, max_records=CHUNK)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_follow(sys.argv[-1]))
