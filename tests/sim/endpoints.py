"""What must hold of every version of a WorkloadEntry: who gets traffic, as istiod reads it, and who does not."""

from typing import Any

from schemas.message import rfc3339
from schemas.workloads import Presence
from services.sink.core.objects import Manifest
from services.sink.ports import Kind
from tests.sim.breach import Broken, name_of
from tests.sim.processors import RULES
from tests.sim.sinks import Written
from tests.sim.told import Told
from tests.sim.users import NAMESPACE
from tests.sim.world import CALM_MS, World

CHECKED = "proxy.istio.io/health-checks-enabled"
TRUE = {"1", "t", "T", "true", "TRUE", "True"}
"""What istiod's parser takes for true."""
SLACK_MS = 2_500
"""In the calm the processor and the sink have told and written by then what a tick decided."""


def gets_traffic(entry: Manifest) -> bool:
    """Say what istiod says (``isHealthy`` in its serviceentry controller): unchecked is healthy, unsaid is not."""
    if (entry["metadata"].get("annotations") or {}).get(CHECKED) not in TRUE:
        return True
    return healthy(entry).get("status") == "True"


def healthy(entry: Manifest) -> dict[str, Any]:
    """Return the condition that istiod reads; empty where there is none."""
    conditions = (entry.get("status") or {}).get("conditions") or ()
    return next((dict(one) for one in conditions if one["type"] == "Healthy"), {})


class Endpoints:
    """An entry loses its traffic only by a verdict that was told, and goes only with its registration."""

    def __init__(self) -> None:
        self.registered: set[str] = set()
        """Uids of the WARs that are there."""
        self.served: set[str] = set()
        """Uids of the entries that get traffic."""
        self.dead_ms: dict[bytes, int] = {}
        """Since when a verdict on who is dead was due, in the calm."""
        self._read = 0

    def check(self, world: World, told: Told) -> None:
        """Check every write since the last time, and who gets traffic now."""
        written = world.cluster.journal[self._read :]
        for number, one in enumerate(written, self._read):
            self._read = number + 1
            if one.kind is Kind.WAR:
                change = self.registered.discard if one.seen.type == "DELETED" else self.registered.add
                change(one.seen.object["metadata"]["uid"])
            elif one.kind is Kind.ENTRY:
                self._follow(told, one)
        if world.elapsed > CALM_MS:
            self._dead(world, told)

    def _follow(self, told: Told, one: Written) -> None:
        entry = one.seen.object
        about = entry["metadata"]
        uid, key = about["uid"], told.keys.get(about["name"], b"")
        if one.seen.type == "DELETED":
            if any(owner["uid"] in self.registered for owner in about["ownerReferences"]):
                raise Broken(f"endpoint: the entry of {name_of(key)} was deleted, and its registration is there", key)
            return
        said = healthy(entry)
        if said.get("status") == "False" and said["lastTransitionTime"] not in _silences(told, key):
            raise Broken(f"endpoint: {name_of(key)} has no traffic, and no verdict says so: {said}", key)
        if gets_traffic(entry):
            self.served.add(uid)
        elif uid in self.served and said.get("status") != "False" and not _silences(told, key):
            raise Broken(f"endpoint: {name_of(key)} lost its traffic, and nothing says why", key)
        else:
            self.served.discard(uid)

    def _dead(self, world: World, told: Told) -> None:
        """Check that in the calm nobody is sent to a machine that missed its windows, before it is removed too."""
        machines = [*world.agents, *world.intruders.machines]
        speaking = {one.key for one in machines if not one.silent}
        for agent in world.agents:
            state = told.newest.get(agent.key)
            due = agent.key not in speaking and state is not None and state.presence is not Presence.UNKNOWN
            due = due and not any(sink.state.fleet.doubts(agent.key) for sink in world.sinks)
            if not due or told.silent_windows(world, agent.key, agent.partition) < RULES.missed_windows:
                self.dead_ms.pop(agent.key, None)
                continue
            since = self.dead_ms.setdefault(agent.key, world.elapsed)
            entry = world.cluster.objects.get((Kind.ENTRY, NAMESPACE, agent.session.introduction.key.war_name))
            # A partition that waits for its next owner decides nothing: two windows more must have closed, too.
            late = told.silent_windows(world, agent.key, agent.partition) >= RULES.missed_windows + 2
            if late and entry is not None and gets_traffic(entry) and world.elapsed > since + SLACK_MS:
                words = f"{name_of(agent.key)} is dead, missed its windows {world.elapsed - since} ms ago, gets traffic"
                raise Broken(f"endpoint: {words}", agent.key)


def _silences(told: Told, key: bytes) -> set[str]:
    """Return since when a workload was ever said to be absent or removed."""
    silent = {Presence.ABSENT, Presence.REMOVED}
    return {rfc3339(state.since) for whose, state in told.states if whose == key and state.presence in silent}
