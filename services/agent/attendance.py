"""Keeping the sessions of a roster on Kafka until told to stop; then their goodbyes, within a bounded time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from schemas.registrations import Ended, Refused, Registered
from services.agent.answers import answers
from services.agent.publisher import Publisher
from services.agent.roster import Roster
from services.runtime.health import Health
from services.runtime.kafka import close

T = TypeVar("T")


async def attend(
    roster: Roster,
    publisher: Publisher,
    health: Health,
    stopping: asyncio.Event,
    drain_s: float,
    *,
    beside: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Run the sessions, with ``beside`` in the same breath: if one task of these fails, all end.

    The reader of answers stands before the first connect is sent, so no answer is missed.
    """
    opened = await unless_stopped(stopping, answers(publisher.settings, health, roster.members))
    if opened is None:
        return
    consumer, incoming = opened
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(publisher.run()),
                group.create_task(roster.run()),
                group.create_task(_listen(incoming, roster)),
                group.create_task(beside()),
            ]
            await stopping.wait()
            await _leave(roster, publisher, drain_s)
            for task in tasks:
                task.cancel()
    finally:
        await close(consumer)


async def unless_stopped(stopping: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what ``work`` does, or None if the stop came first; then the work is cancelled."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        stopped.cancel()
        if working.cancel():
            await asyncio.wait({working})


async def _listen(incoming: AsyncIterator[tuple[bytes, Registered | Refused | Ended]], roster: Roster) -> None:
    async for key, answer in incoming:
        roster.answered(key, answer)


async def _leave(roster: Roster, publisher: Publisher, drain_s: float) -> None:
    roster.stop(list(roster.members))
    if await publisher.flush(drain_s):
        roster.flushed()
    else:
        structlog.get_logger().warning("leaving without a goodbye: Kafka did not take it in time", waited_s=drain_s)
