"""No write without a reason: over its whole life a world sees no more writes than what was told and done asks for."""

from collections.abc import Iterator

from schemas.workloads import Workload
from services.sink.ports import Kind
from tests.sim.told import Told
from tests.sim.world import World

OURS = (Kind.WAR, Kind.ENTRY)


def wasted(world: World, told: Told) -> Iterator[str]:
    """Yield how many writes had no reason, if any had none."""
    if len(world.sinks) > 1 and any(sink.turns for sink in world.sinks):
        return  # one may doubt the observer of all and the other not: each unsays the other, as ADR 0016 admits
    written = sum(one.kind in OURS and one.seen.type == "MODIFIED" and not one.by_user for one in world.cluster.journal)
    asked = _by_states(told) + _by_objects(world)
    if written > asked:
        yield f"writes: the sink changed its objects {written} times, and had reason to for {asked}"


def _by_states(told: Told) -> int:
    """Return how many writes the states ask for: the status, an entry's health, what the agent reports on both."""
    newest: dict[bytes, Workload] = {}
    asked = 0
    for key, state in told.states:
        before = newest.get(key, state)
        asked += 1 + (state.presence is not before.presence)
        asked += 2 * (state.workload.registration != before.workload.registration)
        newest[key] = state
    return asked


def _by_objects(world: World) -> int:
    """Return how many writes what users did asks for, and what was created: an entry is told its health."""
    asked = 0
    names: set[str] = set()
    for one in world.cluster.journal:
        if one.kind in OURS:
            names.add(one.seen.object["metadata"]["name"])
            asked += 1 if one.by_user else one.kind is Kind.ENTRY and one.seen.type == "ADDED"
        elif one.by_user:
            asked += len(names)
    # Where the silence of many is doubted, each is told so, and given back its traffic; and once more when it ends.
    asked += 3 * len(names) * sum(sink.turns for sink in world.sinks)
    # Two sinks at once waste writes (ADR 0003): what one says of all registrations the other unsays until it sees why.
    return asked + 3 * len(names) * (len(world.sinks) - 1)
