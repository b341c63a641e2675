"""What must hold of Kubernetes with every write: told of the registrations, by what was told and by what users did."""

from typing import Any

from services.sink.core.objects import Manifest
from services.sink.ports import Kind
from tests.sim.breach import Broken
from tests.sim.sinks import Written
from tests.sim.told import REMOVED, Told
from tests.sim.users import NOTE
from tests.sim.world import CALM_MS, World

ALL_SEEN_MS = CALM_MS + 3_000
"""By here the sink knows of every edit of a policy."""


class Registrations:
    """A WAR keeps the group it was created with, never goes back, and goes only if it was removed or a user said so."""

    def __init__(self) -> None:
        self.first: dict[str, Any] = {}
        self.joined: dict[str, int] = {}
        self.revisions: dict[str, int] = {}
        self._read = 0

    def check(self, world: World, told: Told) -> None:
        """Check every write since the last time."""
        written = world.cluster.journal[self._read :]
        for number, one in enumerate(written, self._read):
            self._read = number + 1
            if one.kind in {Kind.WAR, Kind.ENTRY}:
                _noted(world, told, one)
            if one.kind is Kind.WAR:
                self._follow(world, told, one)

    def _follow(self, world: World, told: Told, one: Written) -> None:
        war = one.seen.object
        uid, name = war["metadata"]["uid"], war["metadata"]["name"]
        key = told.keys.get(name, b"")
        taken = war["spec"]["workloadGroup"]
        self.joined.setdefault(uid, one.at_ms)
        if self.first.setdefault(uid, taken) != taken:
            raise Broken(f"snapshot changed: {name} was {self.first[uid]}, is {taken}", key)
        late = one.seen.type == "ADDED" and world.elapsed > ALL_SEEN_MS
        if late and not world.users.allowing:
            raise Broken(f"not admitted: {name} joined, and no policy allows it", key)
        if outsider := _outsiders(world).get(name):
            raise Broken(f"not admitted: {name} stands in Kubernetes, and is {outsider}", key)
        revision = war.get("status", {}).get("revision", -1)
        if revision < self.revisions.get(uid, -1):
            raise Broken(f"went back: {name} was at {self.revisions[uid]}, is at {revision}", key)
        self.revisions[uid] = revision
        expelled = world.users.expelled(self.joined[uid], one.at_ms)
        excused = expelled or world.users.did_away_with(war) or _by_the_stale(world, one)
        if one.seen.type == "DELETED" and not excused:
            _removed(told, key, war)


def _by_the_stale(world: World, one: Written) -> bool:
    """Whether of two sinks the one that slept may have deleted what the other has made since (ADR 0003).

    It expels by the policies of before, and a WAR without a status does not say how new it is.
    """
    edited = any(begin <= one.at_ms for begin, _ in world.users.expulsions)
    return len(world.sinks) > 1 and (edited or "session" not in one.seen.object.get("status", {}))


def _removed(told: Told, key: bytes, war: Manifest) -> None:
    """Check that the session of a WAR that was deleted is removed, or a later one that it was not told of yet."""
    name, session = war["metadata"]["name"], war.get("status", {}).get("session")
    newest = told.newest.get(key)
    state = newest if session is None else told.sessions.get((key, session))
    gone = {one.presence for one in (newest, state) if one is not None}
    if REMOVED not in gone:
        was = state.presence if state is not None else "not known"
        raise Broken(f"false removal: {name} of session {session} was deleted, and that is {was}", key)


def _noted(world: World, told: Told, one: Written) -> None:
    """Check that what people noted on an object is there still."""
    about = one.seen.object["metadata"]
    note = world.users.notes.get(about["uid"])
    noted = {(about.get(where) or {}).get(NOTE) for where in ("annotations", "labels")}
    if note is not None and not one.by_user and noted != {note}:
        raise Broken(f"note lost: {about['name']} had {note}, has {noted}", told.keys.get(about["name"], b""))


def _outsiders(world: World) -> dict[str, str]:
    """Return what is said of those who must not be in Kubernetes, by the name that they would have there."""
    said = ((world.intruders.liars, "without proof"), (world.intruders.strangers, "allowed by no policy"))
    return {one.session.introduction.key.war_name: words for machines, words in said for one in machines}
