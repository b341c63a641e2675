"""What must hold: at every step, and when everything has settled. Told of the world and of the log, by the oracle.

The oracle says what the log means; what an agent really did says whether that was right.
"""

from collections.abc import Iterator
from typing import Any

from schemas.codec import Rejection, decode_event, decode_workload
from schemas.events import Connect, Heartbeat, Resumed
from schemas.topics import EVENTS, WORKLOADS
from schemas.workloads import Presence, Reason, Workload
from services.agent.core.moves import State
from services.sink.core.objects import Manifest
from services.sink.ports import Kind
from tests.sim.processors import RULES
from tests.sim.trust import prove
from tests.sim.users import NAMESPACE
from tests.sim.world import World
from tests.support.oracle import OracleRules, Verdicts, oracle

ORACLE = OracleRules(
    window_ms=RULES.window_ms,
    missed_windows=RULES.missed_windows,
    grace_windows=RULES.grace_windows,
    forget_windows=RULES.forget_windows,
    brake_share=RULES.brake_share,
    brake_release_share=RULES.brake_release_share,
    brake_least=RULES.brake_least,
)
HALF_MS = RULES.window_ms // 2
"""No window that counts is shorter."""


class Broken(Exception):  # noqa: N818 - what is broken is an invariant
    """An invariant does not hold."""


class Registrations:
    """A WAR keeps the group it was created with, never goes back, and goes only if it was removed or a user said so."""

    def __init__(self) -> None:
        self.first: dict[str, Any] = {}
        self.revisions: dict[str, int] = {}
        self.version = 0

    def check(self, world: World, told: "Told") -> None:
        """Check every version since the last time."""
        for version, seen in world.cluster.changes(Kind.WAR, max(self.version, world.cluster._compacted)):
            self.version = version
            war = seen.object
            uid, name = war["metadata"]["uid"], war["metadata"]["name"]
            taken = war["spec"]["workloadGroup"]
            if self.first.setdefault(uid, taken) != taken:
                raise Broken(f"snapshot changed: {name} was {self.first[uid]}, is {taken}")
            revision = war.get("status", {}).get("revision", -1)
            if revision < self.revisions.get(uid, -1):
                raise Broken(f"went back: {name} was at {self.revisions[uid]}, is at {revision}")
            self.revisions[uid] = revision
            if seen.type == "DELETED" and name not in told.removed and not world.users.did_away_with(war):
                raise Broken(f"false removal: {name} was deleted, and nobody told that it was removed")


class Told:
    """What was told of workloads, checked record by record as it is appended."""

    def __init__(self) -> None:
        self.read: dict[int, int] = {}
        self.states: list[tuple[bytes, Workload]] = []
        """Every state once, as it was told first."""
        self._first: dict[tuple[bytes, int], Workload] = {}
        self.removed: set[str] = set()
        """Names of those who were ever told to be removed."""

    def check(self, world: World) -> None:
        for partition in range(world.log.count):
            for record in world.log.read(WORKLOADS, partition, self.read.get(partition, 0)):
                self.read[partition] = record.offset + 1
                state = decode_workload(record.value or b"")
                if isinstance(state, Rejection) or record.key is None:
                    raise Broken(f"muster.workloads has what it must not have: {record}")
                if (first := self._first.setdefault((record.key, state.revision), state)) is not state:
                    if first != state:
                        raise Broken(f"told twice: {_name(record.key)} at {state.revision} was {first}, is {state}")
                    continue
                self.states.append((record.key, state))
                if state.presence is Presence.REMOVED:
                    self.removed.add(state.workload.key.war_name)
                if state.presence in {Presence.ABSENT, Presence.REMOVED, Presence.UNKNOWN}:
                    _deserved(world, record.key, state)


def _deserved(world: World, key: bytes, state: Workload) -> None:
    """Check a verdict against when the broker took what the workload said, and against who took over when."""
    if state.reason is Reason.DISCONNECTED:
        return
    records = world.log.part(EVENTS, state.partition).records
    verdict = records[state.revision]
    windows = RULES.missed_windows + (RULES.grace_windows if state.presence is Presence.REMOVED else 0)
    since = verdict.timestamp - windows * HALF_MS
    for record in reversed(records[: state.revision]):
        event = decode_event(record.key, record.value)
        if isinstance(event, Resumed) and record.timestamp > verdict.timestamp - HALF_MS:
            raise Broken(f"void window: {_name(key)} became {state.presence} at offset {state.revision}")
        if record.timestamp <= since:
            break
        ours = isinstance(event, Heartbeat | Connect) and record.key == key and event.session == state.session
        if ours and not _over(state) and _first_of_its_seq(records, record.offset, event, key):
            said = verdict.timestamp - record.timestamp
            raise Broken(f"false verdict: {_name(key)} became {state.presence}, heard of {said} ms before")


def _over(state: Workload) -> bool:
    return state.presence is Presence.REMOVED and "goodbye" in state.message


def _first_of_its_seq(records: list[Any], offset: int, event: Any, key: bytes) -> bool:  # noqa: ANN401
    """Whether nothing as new of its session was there before: duplicates and latecomers say nothing."""
    for record in records[:offset]:
        if record.key == key:
            earlier = decode_event(record.key, record.value)
            if getattr(earlier, "session", "") == event.session and getattr(earlier, "seq", -1) >= event.seq:
                return False
    return True


def _health(name: str, entry: Manifest | None, presence: Presence | None) -> Iterator[str]:
    """Yield what is wrong with what istiod reads of an endpoint: traffic for the dead, or none for the living."""
    if entry is None or presence in {None, Presence.UNKNOWN}:
        return
    healthy = [c["status"] for c in entry.get("status", {}).get("conditions", ()) if c["type"] == "Healthy"]
    if healthy != [str(presence is Presence.CONNECTED)]:
        yield f"endpoint: {name} is {presence} and its entry says Healthy={healthy}"


def settled(world: World, told: Told) -> Iterator[str]:
    """Yield what is wrong once everything had time to settle."""
    records = {p: world.log.part(EVENTS, p).records for p in range(world.log.count)}
    said = oracle(records, ORACLE, world.log.count, prove)
    yield from _as_the_oracle(told, said)
    for agent in world.agents:
        state = said.final.get(agent.key)
        presence = state.presence if state else None
        place = (NAMESPACE, agent.session.introduction.key.war_name)
        war = world.cluster.objects.get((Kind.WAR, *place))
        entry = world.cluster.objects.get((Kind.ENTRY, *place))
        name = _name(agent.key)
        if agent.alive and presence is not Presence.CONNECTED:
            yield f"liveness: {name} is alive and is {presence}"
        if not agent.alive and presence is Presence.CONNECTED:
            yield f"liveness: {name} is dead and is still connected"
        if presence is Presence.ABSENT and not _braked(said):
            yield f"endpoint: {name} is dead for more than the whole grace, and not removed"
        if presence in {None, Presence.REMOVED} and (war or entry):
            yield f"endpoint: {name} is {presence} and has a WAR or an entry"
        if (war is None) != (entry is None):
            yield f"endpoint: {name} has {'an entry and no WAR' if entry else 'a WAR and no entry'}"
        yield from _health(name, entry, presence)
        if war is not None and state is not None:
            condition = next(c for c in war["status"]["conditions"] if c["type"] == "AgentConnected")
            wanted = {Presence.CONNECTED: "True", Presence.UNKNOWN: "Unknown"}.get(state.presence, "False")
            if (condition["status"], war["status"]["revision"]) != (wanted, state.revision):
                yield f"cluster: {name} is {state.presence} at {state.revision}, its WAR says {war['status']}"
        if agent.alive:
            yield from _onboarded(world, agent, war)


def _braked(said: Verdicts) -> bool:
    """Whether a partition is braked: no grace passes there."""
    return any(one.presence is Presence.UNKNOWN for one in said.final.values())


def _onboarded(world: World, agent: Any, war: Any) -> Iterator[str]:  # noqa: ANN401
    name = _name(agent.key)
    registration = agent.session.registration
    if war is None or agent.session.state is not State.REGISTERED or registration is None:
        yield f"onboarding: {name} is alive, {agent.session.state.name}, its WAR is {'there' if war else 'not there'}"
    elif registration.uid != war["metadata"]["uid"]:
        yield f"onboarding: {name} was told of another WAR than it has"
    elif agent.key in world.users.deleted:
        uid, generation, session = world.users.deleted[agent.key]
        if war["metadata"]["uid"] == uid or war["spec"]["workloadGroup"]["generation"] < generation:
            yield f"onboarding: {name} did not join anew after its WAR was deleted"
        if session == war["status"]["session"]:
            yield f"onboarding: {name} has a WAR of the very session whose WAR was deleted"


def _as_the_oracle(told: Told, said: Verdicts) -> Iterator[str]:
    """Every state told is one that the oracle knows, and the newest of each workload is the oracle's last."""
    known = {(t.partition, t.offset, t.key): t.state for t in said.transitions}
    newest: dict[bytes, Workload] = {}
    for key, state in told.states:
        meant = known.get((state.partition, state.revision, key))
        if meant is None or (meant.presence, meant.session, meant.reason, meant.since_ms, meant.window) != (
            state.presence,
            state.session,
            state.reason,
            int(state.since.timestamp() * 1000 + 0.5),
            state.window,
        ):
            yield f"fold: {_name(key)} was told {state.presence} at {state.revision}, the oracle says {meant}"
        if key not in newest or state.revision >= newest[key].revision:
            newest[key] = state
    for key, meant in said.final.items():
        if key not in newest or newest[key].revision != meant.revision:
            yield f"fold: the oracle's last of {_name(key)} is {meant.presence} at {meant.revision}, told was not that"


def _name(key: bytes) -> str:
    return key.decode()[-3:]
