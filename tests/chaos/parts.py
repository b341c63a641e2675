"""Faults of processes: killed, frozen and restarted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.local.child import Child
from tests.chaos.arena import Arena
from tests.chaos.trial import Stage
from tests.integration.processes import RULES

FREEZE_S = 10.0
"""Past the session timeout of the processor's group (6 s here)."""
RESTART_S = 1.0
"""So long after its end a supervisor starts a process again."""
OUTAGE_WINDOWS = 60
ABSENT_S = (RULES.missed_windows + 2) * RULES.window_ms / 1000
NOTICED_S = 2.0
"""What everybody takes, on a busy machine, to see it said before it is over."""
WITNESSES = 8


@asynccontextmanager
async def witnessed(arena: Arena, stage: Stage) -> AsyncIterator[None]:
    """Let a few agents die at the moment the fault strikes: when is that noticed?"""
    witnesses = await arena.gather("witness", WITNESSES)
    await arena.lose(witnesses)
    stage.strike(arena.keys(witnesses))
    yield
    stage.heal()


@asynccontextmanager
async def unheard(arena: Arena, stage: Stage, keys: set[bytes], why: str) -> AsyncIterator[None]:
    """Strike these: say that they live and cannot be heard meanwhile, for this reason."""
    arena.truth.fail(keys, why)
    stage.strike(keys)
    yield
    arena.truth.mend(keys, why)
    stage.heal()


@asynccontextmanager
async def frozen(child: Child) -> AsyncIterator[None]:
    """Stop a process in its tracks, and let it go on."""
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)


@asynccontextmanager
async def broker_away(arena: Arena) -> AsyncIterator[None]:
    """Say that no agent reaches the broker meanwhile."""
    everybody = arena.truth.keys
    arena.truth.fail(everybody, "broker")
    yield
    arena.truth.mend(everybody, "broker")


async def processor_kill(arena: Arena, stage: Stage) -> None:
    """kill -9 the only processor; it is started again a second later."""
    async with witnessed(arena, stage):
        await arena.kill(arena.child("processor"))
        await asyncio.sleep(RESTART_S)
        arena.processor()


async def processor_freeze(arena: Arena, stage: Stage) -> None:
    """SIGSTOP one of two processors past its session timeout; it awakes as a zombie."""
    old, new = arena.child("processor"), arena.processor()
    await arena.shared_by(2)
    async with witnessed(arena, stage), frozen(old):
        await asyncio.sleep(FREEZE_S)
    await _only(arena, new, old)


async def rolling_restart(arena: Arena, stage: Stage) -> None:
    """Two processors, each replaced in its turn: SIGTERM, and a new one."""
    first, second = arena.child("processor"), arena.processor()
    await arena.shared_by(2)
    async with witnessed(arena, stage):
        for old in (first, second):
            await arena.stop(old)
            new = arena.processor()
            await arena.shared_by(2)
            await arena.ready(new)
    await _only(arena, new, arena.child("processor"))


async def _only(arena: Arena, stays: Child, goes: Child) -> None:
    """Let one processor go, and the other have everything."""
    if goes.running:
        await arena.stop(goes)
    await arena.shared_by(1)
    await arena.ready(stays)


async def sink_kill(arena: Arena, stage: Stage) -> None:
    """kill -9 the sink; it is started again a second later."""
    async with witnessed(arena, stage):
        await arena.kill(arena.child("sink"))
        await asyncio.sleep(RESTART_S)
        arena.sink()


async def sink_freeze(arena: Arena, stage: Stage) -> None:
    """SIGSTOP the sink."""
    async with witnessed(arena, stage), frozen(arena.child("sink")):
        await asyncio.sleep(FREEZE_S)


async def fleet_kill(arena: Arena, stage: Stage) -> None:
    """kill -9 a quarter of the agents; they come back in new sessions within their grace."""
    arena.some = await _killed_and_back(arena, stage, arena.some)


async def agent_kill(arena: Arena, stage: Stage) -> None:
    """kill -9 a real agent, `muster agent` on a machine of its own; it is back in a new session within its grace."""
    arena.real = await _killed_and_back(arena, stage, arena.real)


async def _killed_and_back(arena: Arena, stage: Stage, fleet: Child) -> Child:
    await arena.lose(fleet)
    stage.strike(arena.keys(fleet))
    await asyncio.sleep(ABSENT_S)
    stage.heal()
    return await arena.join(arena.agents[fleet])


async def fleet_freeze(arena: Arena, stage: Stage) -> None:
    """SIGSTOP a quarter of the agents for more windows than may be missed; they go on in the same sessions."""
    await _frozen_past_absence(arena, stage, arena.some)


async def agent_freeze(arena: Arena, stage: Stage) -> None:
    """SIGSTOP a real agent for more windows than may be missed; it goes on in the same session."""
    await _frozen_past_absence(arena, stage, arena.real)


async def _frozen_past_absence(arena: Arena, stage: Stage, fleet: Child) -> None:
    async with unheard(arena, stage, arena.keys(fleet), "frozen"), frozen(fleet):
        await asyncio.sleep(ABSENT_S + NOTICED_S)


async def thundering_return(arena: Arena, stage: Stage) -> None:
    """kill -9 all agents; when it is said of all that nobody can tell, all come back at once, in new sessions."""
    fleets = (arena.most, arena.some, arena.real)
    hit = arena.keys(*fleets)
    stage.doubtful |= hit
    for fleet in fleets:
        await arena.lose(fleet)
    stage.strike(hit)
    await arena.connected(hit, "Unknown")
    arena.most, arena.some, arena.real = (arena.call(arena.agents[fleet]) for fleet in fleets)
    stage.heal()
    await arena.connected(hit, "True", within_s=90)
    arena.truth.begin(hit)


async def broker_kill(arena: Arena, stage: Stage) -> None:
    """kill -9 the broker; it is started again at once with its data."""
    async with witnessed(arena, stage), broker_away(arena):
        await arena.kafka.kill()
        await arena.kafka.start()


async def broker_freeze(arena: Arena, stage: Stage) -> None:
    """SIGSTOP the broker."""
    assert arena.kafka.child is not None
    async with witnessed(arena, stage), broker_away(arena), frozen(arena.kafka.child):
        await asyncio.sleep(FREEZE_S)


async def broker_outage(arena: Arena, stage: Stage) -> None:
    """No broker for 60 windows: ten minutes, were the windows of 10 s."""
    async with witnessed(arena, stage), broker_away(arena):
        await arena.kafka.kill()
        await asyncio.sleep(OUTAGE_WINDOWS * RULES.window_ms / 1000)
        await arena.kafka.start()


async def apiserver_kill(arena: Arena, stage: Stage) -> None:
    """kill -9 the API server; it is started again with its data."""
    async with witnessed(arena, stage):
        await arena.kube.kill()
        await arena.kube.start()


async def apiserver_freeze(arena: Arena, stage: Stage) -> None:
    """SIGSTOP the API server."""
    assert arena.kube.child is not None
    async with witnessed(arena, stage), frozen(arena.kube.child):
        await asyncio.sleep(FREEZE_S)
