"""Running seeds: one, and what is the least that still makes it fail."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.topics import PRESENCE_CHANGELOG, WORKLOADS
from tests.sim.faults import Fault, plan
from tests.sim.invariants import Broken, Registrations, Told
from tests.sim.settled import settled
from tests.sim.world import END_MS, STEADY_MS, World


@dataclass
class Outcome:
    """What became of one seed; ``broken`` is empty where every invariant held."""

    seed: int
    faults: list[Fault]
    broken: str = ""
    at_ms: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    events: int = 0
    trace: list[tuple[int, str]] = field(default_factory=list)


def run(seed: int, faults: Sequence[Fault] | None = None) -> Outcome:
    """Let a world of this seed live to its end, or to the first invariant that breaks."""
    outcome = Outcome(seed, list(plan(seed) if faults is None else faults))
    world = World(seed, outcome.faults)
    told = Told()
    try:
        _live(world, told)
    except Broken as fault:
        outcome.broken = str(fault)
    except Exception as error:  # noqa: BLE001 - whatever a core raises is a finding, told with its seed
        outcome.broken = f"crash: {error!r}"
    world.end()
    outcome.at_ms = world.elapsed
    outcome.verdicts = Counter(state.presence.value for _, state in told.states)
    outcome.events = sum(part.end for (topic, _), part in world.log.parts.items() if topic not in _OURS)
    outcome.trace = world.told + [
        (int(state.since.timestamp() * 1000) % 1_000_000, f"{key.decode()[-3:]} {state.presence} {state.session[:8]}")
        for key, state in told.states[-12:]
    ]
    return outcome


def _live(world: World, told: Told) -> None:
    """Let the world live; raise Broken at the first invariant that breaks."""
    registrations = Registrations()
    before: tuple[int, ...] = ()
    while world.elapsed < END_MS:
        world.step()
        told.check(world)
        registrations.check(world, told)
        if world.elapsed == STEADY_MS:
            before = _writes(world, told)
    for wrong in settled(world, told):
        raise Broken(wrong)
    if (after := _writes(world, told)) != before:
        raise Broken(f"steady state: objects and states written rose from {before} to {after}")


_OURS = (PRESENCE_CHANGELOG, WORKLOADS)


def _writes(world: World, told: Told) -> tuple[int, int]:
    return world.cluster.writes, len(told.states)


def shrink(outcome: Outcome) -> Outcome:
    """Return the outcome with as few faults as still break the same invariant."""
    kind = outcome.broken.partition(":")[0]
    dropped = True
    while dropped:
        dropped = False
        for number in range(len(outcome.faults)):
            fewer = run(outcome.seed, outcome.faults[:number] + outcome.faults[number + 1 :])
            if fewer.broken.partition(":")[0] == kind:
                outcome, dropped = fewer, True
                break
    return outcome
