"""Faults of a fleet too small for the brake of any partition: the sink alone sees that its observer was cut off.

The log calls machines absent and removed that live (ADR 0016); what is judged is what Kubernetes takes from them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.chaos.arena import Arena
from tests.chaos.links import Weather
from tests.chaos.network import PARTITION_S
from tests.chaos.parts import frozen, unheard
from tests.chaos.trial import Stage

SIZE, PARTITIONS = 36, 12
"""About three to a partition; the brake needs ten."""
STEP_S = 2.0
"""A quarter after the other within this: three of them before the first one's grace is over."""
HALF_S = 15.0
"""Longer than the grace: whoever is still silent would be removed by now, were there no doubt."""


@asynccontextmanager
async def nobody_heard(arena: Arena, stage: Stage) -> AsyncIterator[None]:
    """Say that no agent can be heard meanwhile, and that nothing may be taken from any."""
    everybody = arena.keys(*arena.quarters)
    stage.cut_off |= everybody
    async with unheard(arena, stage, everybody, "network"):
        yield


async def cut_off(arena: Arena, stage: Stage) -> None:
    """No agent of a small fleet reaches the broker, for longer than it takes to be removed."""
    async with nobody_heard(arena, stage):
        arena.network(fleet=Weather(shut=True))
        await asyncio.sleep(PARTITION_S)
        arena.network()


async def bit_by_bit(arena: Arena, stage: Stage) -> None:
    """A small fleet is cut off quarter by quarter, 2 s apart (SIGSTOP), for longer than it takes to be removed."""
    async with nobody_heard(arena, stage), AsyncExitStack() as cuts:
        for quarter in arena.quarters:
            await cuts.enter_async_context(frozen(quarter))
            await asyncio.sleep(STEP_S)
        await asyncio.sleep(PARTITION_S)


async def returning_by_halves(arena: Arena, stage: Stage) -> None:
    """A small fleet is cut off (SIGSTOP) past removal; one half returns, and past another grace the other one."""
    first, second = arena.quarters[:2], arena.quarters[2:]
    async with nobody_heard(arena, stage), AsyncExitStack() as late:
        for quarter in second:
            await late.enter_async_context(frozen(quarter))
        async with AsyncExitStack() as early:
            for quarter in first:
                await early.enter_async_context(frozen(quarter))
            await asyncio.sleep(PARTITION_S)
        arena.truth.mend(arena.keys(*first), "network")
        await arena.connected(arena.keys(*first), "True")
        await asyncio.sleep(HALF_S)


async def truly_dead(arena: Arena, stage: Stage) -> None:
    """kill -9 a quarter of a small fleet, for good; it lasted until their registrations were gone."""
    dead = await arena.gather("dead", SIZE // 3)  # of all that there are then, a quarter
    await arena.lose(dead)
    stage.strike(arena.keys(dead))
    await arena.connected(arena.keys(dead), None)
    stage.heal()
