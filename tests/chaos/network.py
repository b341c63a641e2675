"""Faults of the network between the parts."""

import asyncio

from tests.chaos.arena import Arena
from tests.chaos.links import Weather
from tests.chaos.parts import unheard, witnessed
from tests.chaos.trial import Act, Stage
from tests.integration.processes import RULES

SLOW = Weather(delay_ms=150, cut_every_s=4)
SLOW_S = 20.0
PARTITION_S = (RULES.missed_windows + RULES.grace_windows + 5) * RULES.window_ms / 1000
"""Long enough for everybody to be removed, were there no brake."""


def slow(part: str, words: str) -> Act:
    """Return a fault: everything over a link takes longer, and now and then all its connections are cut."""

    async def act(arena: Arena, stage: Stage) -> None:
        async with witnessed(arena, stage):
            arena.network(**{part: SLOW})
            await asyncio.sleep(SLOW_S)
            arena.network()

    act.__doc__ = f"{words}: 150 ms later each way, and cut every 4 s."
    return act


def partition(weather: Weather, words: str) -> Act:
    """Return a fault: no agent reaches the broker for longer than it takes to be removed."""

    async def act(arena: Arena, stage: Stage) -> None:
        everybody = arena.truth.able_now()
        stage.doubtful |= everybody
        async with unheard(arena, stage, everybody, "network"):
            arena.network(fleet=weather)
            await asyncio.sleep(PARTITION_S)
            arena.network()

    act.__doc__ = f"No agent reaches the broker, {words}, for longer than it takes to be removed."
    return act
