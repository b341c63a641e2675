"""Running seeds: one, and what is the least that still makes it fail."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from schemas.topics import PRESENCE_CHANGELOG, WORKLOADS
from tests.sim.breach import Broken
from tests.sim.endpoints import Endpoints
from tests.sim.faults import Fault, plan
from tests.sim.invariants import Registrations
from tests.sim.settled import settled
from tests.sim.story import story
from tests.sim.told import Told
from tests.sim.world import END_MS, STEADY_MS, World
from tests.sim.writes import wasted


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


def run(seed: int, faults: Sequence[Fault] | None = None, but: Collection[str] = ()) -> Outcome:
    """Let a world of this seed live to its end, or to the first invariant that breaks.

    ``but`` are kinds of invariants that may break: to see which other one would have noticed as well.
    """
    outcome = Outcome(seed, list(plan(seed) if faults is None else faults))
    world = World(seed, outcome.faults)
    told = Told()
    key = b""
    try:
        _live(world, told, but)
    except Broken as fault:
        outcome.broken, key = str(fault), fault.key
    except Exception as error:  # noqa: BLE001 - whatever a core raises is a finding, told with its seed
        outcome.broken = f"crash: {error!r}"
    world.end()
    outcome.at_ms = world.elapsed
    outcome.verdicts = Counter(state.presence.value for _, state in told.states)
    outcome.events = sum(part.end for (topic, _), part in world.log.parts.items() if topic not in _OURS)
    if outcome.broken:
        outcome.trace = story(world, key)
    return outcome


def _live(world: World, told: Told, but: Collection[str]) -> None:
    """Let the world live; raise Broken at the first invariant that breaks."""
    registrations, endpoints = Registrations(), Endpoints()
    checks = (told.check, lambda one: registrations.check(one, told), lambda one: endpoints.check(one, told))
    before: tuple[int, ...] = ()
    while world.elapsed < END_MS:
        world.step()
        for check in checks:
            try:
                check(world)
            except Broken as fault:
                if fault.kind not in but:
                    raise
        if world.elapsed == STEADY_MS:
            before = _writes(world, told)
    for wrong in (*wasted(world, told), *settled(world, told), *_restless(before, _writes(world, told))):
        if wrong.partition(":")[0] not in but:
            raise Broken(wrong)


def _restless(before: tuple[int, ...], after: tuple[int, ...]) -> Iterator[str]:
    if after != before:
        yield f"steady state: objects and states written rose from {before} to {after}"


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
