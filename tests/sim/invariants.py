"""What must hold at every step: told of the log and of Kubernetes, by what the agents really did."""

from typing import Any

from schemas.codec import Rejection, decode_event, decode_workload
from schemas.events import Connect, Heartbeat, Resumed
from schemas.topics import EVENTS, WORKLOADS
from schemas.workloads import Presence, Reason, Workload
from services.sink.ports import Kind
from tests.sim.processors import RULES
from tests.sim.world import CALM_MS, World

HALF_MS = RULES.window_ms // 2
"""No window that counts is shorter."""

ALL_SEEN_MS = CALM_MS + 3_000
"""By here the sink knows of every edit of a policy."""


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
            late = seen.type == "ADDED" and world.elapsed > ALL_SEEN_MS
            if late and not world.users.allowing:
                raise Broken(f"not admitted: {name} joined, and no policy allows it")
            if outsider := _outsiders(world).get(name):
                raise Broken(f"not admitted: {name} stands in Kubernetes, and is {outsider}")
            revision = war.get("status", {}).get("revision", -1)
            if revision < self.revisions.get(uid, -1):
                raise Broken(f"went back: {name} was at {self.revisions[uid]}, is at {revision}")
            self.revisions[uid] = revision
            excused = world.users.did_away_with(war) or world.users.expelled
            if seen.type == "DELETED" and name not in told.removed and not excused:
                raise Broken(f"false removal: {name} was deleted, and nobody told that it was removed")


class Told:
    """What was told of workloads, checked record by record as it is appended."""

    def __init__(self) -> None:
        self.read: dict[int, int] = {}
        self.states: list[tuple[bytes, Workload]] = []
        """Every state once, as it was told first."""
        self._first: dict[tuple[bytes, int], Workload] = {}
        self.newest: dict[bytes, Workload] = {}
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
                        raise Broken(f"told twice: {name_of(record.key)} at {state.revision} was {first}, is {state}")
                    continue
                self.states.append((record.key, state))
                self._follow(world, record.key, state)
                if state.presence is Presence.REMOVED:
                    self.removed.add(state.workload.key.war_name)
                if state.presence in {Presence.ABSENT, Presence.REMOVED, Presence.UNKNOWN}:
                    _deserved(world, record.key, state)

    def _follow(self, world: World, key: bytes, state: Workload) -> None:
        """Check who brought the state about: a forger never, another machine only if nobody lived there."""
        before = self.newest.get(key)
        if before is not None and state.revision < before.revision:
            return
        self.newest[key] = state
        if state.verified is not None and any(key == liar.key for liar in world.intruders.liars):
            raise Broken(f"forged: {name_of(key)} is {state.presence}, verified, and proved nothing")
        # A session that began before the log named a trust bundle has no chain, and nothing in Kubernetes.
        proven = state.verified is not None or (before is not None and before.verified is not None)
        if proven and (state.partition, state.revision) in world.intruders.forged:
            raise Broken(f"forged: {name_of(key)} became {state.presence} by a forged record at {state.revision}")
        if before is None or before.verified is None or before.session == state.session:
            return
        if before.presence in LIVING and _owner(world, before.session) != _owner(world, state.session):
            raise Broken(f"takeover: {name_of(key)} lived, and another machine took its place at {state.revision}")


LIVING = {Presence.CONNECTED, Presence.UNKNOWN}


def _owner(world: World, session: str) -> tuple[int, int] | None:
    """Return which machine with which disk began a session; None for a thief."""
    machines = [*world.agents, *world.intruders.machines]
    return next(((number, m.began[session]) for number, m in enumerate(machines) if session in m.began), None)


def _outsiders(world: World) -> dict[str, str]:
    """Return what is said of those who must not be in Kubernetes, by the name that they would have there."""
    said = ((world.intruders.liars, "without proof"), (world.intruders.strangers, "allowed by no policy"))
    return {one.session.introduction.key.war_name: words for machines, words in said for one in machines}


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
        forged = (state.partition, record.offset) in world.intruders.forged
        if isinstance(event, Resumed) and not forged and record.timestamp > verdict.timestamp - HALF_MS:
            raise Broken(f"void window: {name_of(key)} became {state.presence} at offset {state.revision}")
        if record.timestamp <= since:
            break
        ours = isinstance(event, Heartbeat | Connect) and record.key == key and event.session == state.session
        news = ours and not forged and not _over(state)
        if news and _first_of_its_seq(world, state.partition, record.offset, event, key):
            said = verdict.timestamp - record.timestamp
            raise Broken(f"false verdict: {name_of(key)} became {state.presence}, heard of {said} ms before")


def _over(state: Workload) -> bool:
    return state.presence is Presence.REMOVED and "goodbye" in state.message


def _first_of_its_seq(world: World, partition: int, offset: int, event: Any, key: bytes) -> bool:  # noqa: ANN401
    """Whether nothing as new of its session was there before: duplicates and latecomers say nothing."""
    for record in world.log.part(EVENTS, partition).records[:offset]:
        if record.key == key and (partition, record.offset) not in world.intruders.forged:
            earlier = decode_event(record.key, record.value)
            if getattr(earlier, "session", "") == event.session and getattr(earlier, "seq", -1) >= event.seq:
                return False
    return True


def name_of(key: bytes) -> str:
    """Return by which digits a workload is told."""
    return key.decode()[-3:]
