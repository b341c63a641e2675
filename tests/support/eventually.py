"""Waiting for the world to come true: poll with a deadline, and say what was waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    probe: Callable[[], Awaitable[T | None]], what: str, *, within_s: float = 30.0, every_s: float = 0.05
) -> T:
    """Return the first truthy value of ``probe``; raise ``AssertionError`` naming ``what`` if none came in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        found = await probe()
        if found:
            return found
        if loop.time() > deadline:
            raise AssertionError(f"waited {within_s} s in vain for {what}; last seen: {found!r}")
        await asyncio.sleep(every_s)
