"""An outbox that keeps what is handed over, and can be made to wait or to fail."""

import asyncio
from typing import NamedTuple


class Posted(NamedTuple):
    """One record handed over."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class KeptOutbox:
    """Keeps everything; ``open`` lets it take more, ``failure`` is raised once it is set."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None

    async def post(
        self,
        topic: str,
        partition: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> None:
        """Take a record."""
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        self.posted.append(Posted(topic, partition, key, value, headers))
