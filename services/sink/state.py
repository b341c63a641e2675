"""What the sink knows: what is wanted, what was answered, what is observed, all by the workload's key."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from schemas.codec import Rejection, decode_answer, decode_release, decode_restore, decode_workload
from schemas.names import CONTROL_KEY, WorkloadKey, parse_key
from schemas.registrations import Refused
from schemas.rejected import RejectReason
from schemas.workloads import Workload
from services.sink.core.actions import Answered
from services.sink.core.duplicate import Duplicate
from services.sink.core.fleet import Fleet, Limits
from services.sink.core.objects import Entry, Group, Manifest, War
from services.sink.core.plan import Observed
from services.sink.core.policy import Policy
from services.sink.core.undo import Restored
from services.sink.core.war import said_goodbye
from services.sink.ports import Kind

REMEMBERED = 10_000
"""How many deleted objects are remembered: far more than there are writes under way."""

Place = tuple[str, str]
"""Namespace and name."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Told(NamedTuple):
    """What a session was told that the processor would not have, and when it tried."""

    answer: Refused
    at: datetime


class State:
    """The newest of everything; filled by the readers and the watches."""

    def __init__(self, limits: Limits | None = None) -> None:
        """``limits`` are those of the doubt about the whole fleet."""
        self.fleet = Fleet(limits)
        self.wanted: dict[bytes, Workload] = {}
        self.answered: dict[bytes, Answered] = {}
        self.told: dict[tuple[WorkloadKey, str], Told] = {}
        """By workload and session; those told longest ago first."""
        self.duplicates: dict[bytes, Duplicate] = {}
        """Of workloads that another machine has shown the identity of lately."""
        self.restores: dict[bytes, Restored] = {}
        self.objects: dict[Kind, dict[Place, Manifest]] = {kind: {} for kind in Kind}
        self._deleted: dict[str, None] = {}
        """Uids of what was deleted, oldest first."""
        self._by_name: dict[Place, set[bytes]] = {}
        self._by_group: dict[Place, set[bytes]] = {}
        self._policies: dict[str, tuple[Policy, ...]] = {}
        """By namespace: read once, not once for every workload."""

    def take_workload(self, key: bytes, value: bytes | None) -> Rejection | None:
        """Take a record of muster.workloads if it is newer; return why it is none."""
        parsed = parse_key(key)
        if parsed is None:
            return Rejection(RejectReason.KEY_MISMATCH, "the key is not <namespace>/<group>/<workload-identity>")
        if value is None:
            self.wanted.pop(key, None)
            self.duplicates.pop(key, None)
            self.fleet.take(key, None)
            return None
        state = decode_workload(value)
        if isinstance(state, Rejection):
            return state
        if state.workload.key != parsed:
            return Rejection(RejectReason.KEY_MISMATCH, f"the body is of {'/'.join(state.workload.key)}")
        known = self.wanted.get(key)
        # Offsets of two partitions say nothing of each other: after a repartitioning the later change is the newer.
        if known is None or (
            state.revision > known.revision if state.partition == known.partition else state.since >= known.since
        ):
            self.wanted[key] = state
            self.fleet.take(key, state)
            self._index(key, parsed)
        return None

    def _index(self, key: bytes, parsed: WorkloadKey) -> None:
        self._by_name.setdefault((parsed.namespace, parsed.war_name), set()).add(key)
        self._by_group.setdefault((parsed.namespace, parsed.group), set()).add(key)

    def take_answer(self, key: bytes, value: bytes | None, time: datetime = LONG_AGO) -> Rejection | None:
        """Take a record of muster.registrations, written at broker ``time``; return why it is none."""
        of_workload, _, session = key.rpartition(b"/")
        whose = parse_key(of_workload)
        if value is None:
            self.answered.pop(key, None)
            if whose is not None:
                self.told.pop((whose, session.decode(errors="replace")), None)
            return None
        answer = decode_answer(value)
        if isinstance(answer, Rejection):
            return answer
        if whose is None:
            self.answered[key] = answer
        elif isinstance(answer, Refused):
            self.told.pop((whose, answer.session), None)
            self.told[whose, answer.session] = Told(answer, time)
        return None

    def take_restore(self, key: bytes, value: bytes | None, time: datetime) -> Rejection | None:
        """Take a record of muster.restores, written at broker ``time``; return why it is none."""
        if key == CONTROL_KEY:
            return self._take_release(value, time)
        if value is None:
            self.restores.pop(key, None)
            return None
        order = decode_restore(value)
        if isinstance(order, Rejection):
            return order
        if order.removal.key.to_bytes() != key or order.removal.name != order.removal.key.war_name:
            return Rejection(RejectReason.KEY_MISMATCH, f"the body is of {'/'.join(order.removal.key)}")
        if (fault := order.removal.key.fault()) is not None:
            return Rejection(RejectReason.INVALID_NAME, fault)
        self.restores[key] = Restored(order, time)
        self._index(key, order.removal.key)
        return None

    def _take_release(self, value: bytes | None, time: datetime) -> Rejection | None:
        release = decode_release(value) if value is not None else None
        if isinstance(release, Rejection):
            return release
        self.fleet.released_until = None if release is None else time + timedelta(seconds=release.for_seconds)
        return None

    def was_silent(self, key: bytes) -> bool:
        """Whether a workload that was removed is still registered, and not for a goodbye."""
        whose = parse_key(key)
        war = self.observed(whose).war if whose is not None else None
        return war is not None and not said_goodbye(war)

    def replace(self, kind: Kind, items: list[Manifest], resource_version: str) -> set[bytes]:
        """Take a whole list of this version; return the keys of the workloads it may concern, also of what is gone.

        What we wrote after it was made stays: it would look deleted otherwise.
        """
        before, listed = self.objects[kind], {place(item): item for item in items}
        later = {where: item for where, item in before.items() if version(item) > int(resource_version)}
        self.objects[kind] = {**listed, **later}
        for where, item in before.items():
            if where not in self.objects[kind]:
                self._gone(item["metadata"]["uid"])
        if kind is Kind.POLICY:
            self._policies.clear()
        return {key for where in before.keys() | listed.keys() for key in self.keys(kind, where)}

    def put(self, kind: Kind, item: Manifest) -> set[bytes]:
        """Take an object that appeared or changed, unless a newer one is known; return the keys it concerns."""
        where, uid = place(item), item["metadata"]["uid"]
        known = self.objects[kind].get(where)
        same = known is not None and known["metadata"]["uid"] == uid
        if uid not in self._deleted and not (same and known is not None and version(item) < version(known)):
            self.objects[kind][where] = item
            self._policies.pop(where[0] if kind is Kind.POLICY else "", None)
        return self.keys(kind, where)

    def drop(self, kind: Kind, item: Manifest) -> set[bytes]:
        """Forget an object that was deleted, unless it is there anew; return the keys it concerns."""
        where = place(item)
        self.gone(kind, *where, item["metadata"]["uid"])
        return self.keys(kind, where)

    def gone(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Forget exactly this object, for good: an answer to an earlier write of it may still come."""
        self._gone(uid)
        known = self.objects[kind].get((namespace, name))
        if known is not None and known["metadata"]["uid"] == uid:
            del self.objects[kind][namespace, name]
            self._policies.pop(namespace if kind is Kind.POLICY else "", None)

    def _gone(self, uid: str) -> None:
        self._deleted[uid] = None
        if len(self._deleted) > REMEMBERED:
            del self._deleted[next(iter(self._deleted))]

    def keys(self, kind: Kind, where: Place) -> set[bytes]:
        """Return the keys of the workloads that an object concerns."""
        if kind is Kind.ATTEMPT:
            return set()  # it only tells of a workload
        if kind in (Kind.NAMESPACE, Kind.POLICY):
            namespace = where[1] if kind is Kind.NAMESPACE else where[0]
            return {key for place, keys in self._by_group.items() if place[0] == namespace for key in keys}
        return (self._by_group if kind is Kind.GROUP else self._by_name).get(where, set())

    def keys_known(self) -> set[bytes]:
        """Return every key: those only answered were forgotten while nobody looked, and so must their answers be."""
        return self.wanted.keys() | self.answered.keys() | self.restores.keys()

    def has_group(self, key: WorkloadKey) -> bool:
        """Whether a workload's namespace and group exist."""
        namespace = ("", key.namespace) in self.objects[Kind.NAMESPACE]
        return namespace and (key.namespace, key.group) in self.objects[Kind.GROUP]

    def observed(self, key: WorkloadKey) -> Observed:
        """Return what Kubernetes has for a workload."""
        name = (key.namespace, key.war_name)
        group = self.objects[Kind.GROUP].get((key.namespace, key.group))
        war, entry = self.objects[Kind.WAR].get(name), self.objects[Kind.ENTRY].get(name)
        return Observed(
            namespace=("", key.namespace) in self.objects[Kind.NAMESPACE],
            group=Group.of(group) if group else None,
            war=War.of(war) if war else None,
            entry=Entry.of(entry) if entry else None,
            policies=self._policies_in(key.namespace),
            duplicate=self.duplicates.get(key.to_bytes()),
            doubted=self.fleet.doubts(key.to_bytes()),
        )

    def _policies_in(self, namespace: str) -> tuple[Policy, ...]:
        if namespace not in self._policies:
            found = (item for where, item in self.objects[Kind.POLICY].items() if where[0] == namespace)
            self._policies[namespace] = tuple(Policy.of(item) for item in found)
        return self._policies[namespace]

    def unread_policies(self) -> list[tuple[Place, str]]:
        """Return the policies that are not understood, each with the first field of it that is not."""
        namespaces = {where[0] for where in self.objects[Kind.POLICY]}
        read = ((namespace, policy) for namespace in namespaces for policy in self._policies_in(namespace))
        return sorted(((namespace, policy.name), policy.fault) for namespace, policy in read if policy.fault)

    def orphans(self) -> list[Place]:
        """Return the registrations of workloads that the log does not know."""
        # Looked up by name: this is asked every second, and making the name of every workload costs five times as much.
        keys, wanted = self._by_name, self.wanted.keys()
        return sorted(where for where in self.objects[Kind.WAR] if wanted.isdisjoint(keys.get(where, ())))


def place(item: Manifest) -> Place:
    """Return where an object stands."""
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def version(item: Manifest) -> int:
    """Return the resourceVersion as a number: comparable since Kubernetes 1.35 (KEP-5504)."""
    return int(item["metadata"]["resourceVersion"])
