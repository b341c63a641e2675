"""The sink's world in memory: topics, a cluster, and a sink that can be ended between any two of its writes."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from schemas.actions import Written
from schemas.codec import Rejection, decode_answer
from schemas.credentials import Verified
from schemas.events import Address, AddressType, AgentSoftware, Host, Introduction, Registration
from schemas.names import WorkloadKey
from schemas.registrations import Registered
from schemas.removals import Removal, Restore
from schemas.workloads import Presence, Reason, Workload
from services.sink.core.actions import Answered
from services.sink.core.objects import Manifest
from services.sink.core.undo import Restored
from services.sink.ports import Kind
from services.sink.reconciler import Pace, Reconciler, Telling
from services.sink.state import State
from tests.support.cluster import MemoryCluster
from tests.support.logs import introduction
from tests.support.policies import VERIFIED, policy

NAMESPACE, GROUP = "bookinfo", "ratings"
START = datetime(2026, 11, 23, tzinfo=UTC)
REASONS = {
    Presence.CONNECTED: Reason.ESTABLISHED,
    Presence.UNKNOWN: Reason.SUSPENDED,
    Presence.ABSENT: Reason.MISSED_WINDOWS,
    Presence.REMOVED: Reason.GRACE_EXPIRED,
}


class KilledError(BaseException):
    """The sink's process ended here."""


def joiner(number: int, version: str = "v1.4.0", group: str = GROUP, ip: str | None = "172.31.5.254") -> Introduction:
    """Return the introduction of EC2 workload ``number``, with an address of its own unless ``ip`` is None."""
    host = Host(addresses=(Address(ip=ip, type=AddressType.VPC),)) if ip else Host()
    told = Registration(agent=AgentSoftware(version=version), host=host)
    return introduction(number, group=group).model_copy(update={"registration": told})


def session(number: int) -> str:
    """Return a session's UUID."""
    return str(uuid.UUID(int=number))


def workload(
    who: Introduction,
    presence: Presence = Presence.CONNECTED,
    *,
    of_session: int = 1,
    revision: int = 10,
    partition: int = 0,
    verified: Verified | None = VERIFIED,
) -> Workload:
    """Return a state of a workload; ``since`` follows the revision."""
    return Workload(
        workload=who,
        session=session(of_session),
        presence=presence,
        reason=REASONS[presence],
        since=START + timedelta(seconds=revision),
        partition=partition,
        revision=revision,
        window=revision,
        verified=verified,
    )


class Told(NamedTuple):
    """What a world comes to, without what differs between two runs of the same story."""

    wars: dict[str, Any]
    entries: dict[str, Any]
    answers: dict[bytes, tuple[str, str]]


class Registry:
    """Kubernetes and the compacted topics; they outlive every sink."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(NAMESPACE)
        self.cluster.put(Kind.POLICY, policy(NAMESPACE))
        self.workloads: dict[bytes, bytes | None] = {}
        self.answers: dict[bytes, bytes | None] = {}
        self.removals: dict[bytes, Removal] = {}
        self.actions: list[tuple[bytes, Written]] = []
        """What the sinks told of their writes."""
        self.restores: dict[bytes, Restored] = {}
        self.now = START + timedelta(days=1)
        """About what the sink's clock says, and the broker's too."""
        self.published = 0
        self.premature: list[Answered] = []
        """Answers that said registered before Kubernetes had all of it."""
        self._seconds = itertools.count()

    # -- what others do ----------------------------------------------------------------------------------------------

    async def group(self, name: str = GROUP, account: str = "ratings") -> None:
        """Create the WorkloadGroup, or edit it."""
        spec = {"metadata": {"labels": {"app": name}}, "template": {"serviceAccount": account, "ports": {"http": 80}}}
        about = {"namespace": NAMESPACE, "name": name}
        known = self.object(Kind.GROUP, name)
        if known is None:
            await self.cluster.create(Kind.GROUP, {"metadata": about, "spec": spec})
        else:
            await self.cluster.update(Kind.GROUP, {**known, "spec": spec})

    def say(self, state: Workload) -> bytes:
        """Publish a state as the processor does; return its key."""
        key = state.workload.key.to_bytes()
        self.workloads[key] = state.to_json()
        return key

    def restore(self, who: Introduction, minutes: int = 60) -> None:
        """Order the last removal of a workload to be undone, if there was one."""
        key = who.key.to_bytes()
        if (removal := self.removals.get(key)) is not None:
            order = Restore(removal=removal, who="ann", why="it is alive", for_seconds=minutes * 60)
            self.restores[key] = Restored(order, self.now)

    def delete(self, kind: Kind, name: str) -> None:
        """Delete an object as a user does, if it is there."""
        if self.object(kind, name) is not None:
            self.cluster.remove(kind, NAMESPACE, name)

    # -- the sink ------------------------------------------------------------------------------------------------------

    async def start(self) -> Reconciler:
        """Start a sink: it has read the topics and listed Kubernetes."""
        state = State()
        for kind in Kind:
            state.replace(kind, *await self.cluster.list(kind))
        for key, value in self.answers.items():
            assert state.take_answer(key, value) is None
        for key, value in self.workloads.items():
            assert state.take_workload(key, value) is None
        for key, order in self.restores.items():
            assert state.take_restore(key, order.order.to_json(), order.since) is None
        state.fleet.settle(state.was_silent)
        state.fleet.judge(self.now)
        telling = Telling(self._publish, self._keep, self.tell)
        return Reconciler(self.cluster, state, telling, self._now, Pace(1e9))

    async def settle(self) -> None:
        """Let a sink start and reconcile all there is."""
        sink = await self.start()
        for key in self.workloads | self.restores:
            await sink.reconcile(key)

    async def _publish(self, key: bytes, answer: Answered | None) -> None:
        self.cluster.before("answer")
        if isinstance(answer, Registered) and not self._has(answer):
            self.premature.append(answer)
        self.published += 1
        self.answers[key] = answer.to_json() if answer is not None else None
        self.cluster.after("answer")

    async def _keep(self, key: bytes, removal: Removal) -> None:
        self.cluster.before("keep")
        self.removals[key] = removal
        self.cluster.after("keep")

    def tell(self, key: bytes, written: Written) -> None:
        """Take what a sink wrote."""
        self.actions.append((key, written))

    def _has(self, answer: Registered) -> bool:
        war, entry = self.object(Kind.WAR, answer.name), self.object(Kind.ENTRY, answer.name)
        return war is not None and entry is not None and war.get("status", {}).get("session") == answer.session

    def _now(self) -> datetime:
        """Return a clock that goes on with every look at it: what it says must not cause a write."""
        return self.now + timedelta(milliseconds=next(self._seconds))

    # -- what is there -------------------------------------------------------------------------------------------------

    @property
    def writes(self) -> int:
        """How much was written to Kubernetes and to the agents."""
        return self.cluster.writes + self.published

    def object(self, kind: Kind, name: str) -> Manifest | None:
        """Return an object by its name."""
        return self.cluster.objects.get((kind, NAMESPACE, name))

    def war(self, number: int, group: str = GROUP) -> Manifest:
        """Return the registration of a workload, which is there."""
        found = self.object(Kind.WAR, joiner(number, group=group).key.war_name)
        assert found is not None
        return found

    def condition(self, number: int, kind: str) -> dict[str, Any]:
        """Return a condition of a workload's registration."""
        conditions: list[dict[str, Any]] = self.war(number)["status"]["conditions"]
        return next(one for one in conditions if one["type"] == kind)

    def answer(self, key: bytes | WorkloadKey) -> Answered | None:
        """Return the newest answer to a workload."""
        value = self.answers.get(key if isinstance(key, bytes) else key.to_bytes())
        if value is None:
            return None
        answer = decode_answer(value)
        assert not isinstance(answer, Rejection)
        return answer

    def told(self) -> Told:
        """Return what this world came to."""
        wars, entries = (
            {
                name: {"spec": _plain(item["spec"]), "status": _plain(item.get("status"))}
                for (of, _, name), item in self.cluster.objects.items()
                if of is kind
            }
            for kind in (Kind.WAR, Kind.ENTRY)
        )
        answers = {key: self.answer(key) for key in self.answers}
        return Told(wars, entries, {key: (one.type, one.session) for key, one in answers.items() if one is not None})


def _plain(part: Any) -> Any:  # noqa: ANN401 - any JSON
    """Leave out uids, versions and the sink's own clock."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    clocked = part.get("type") not in {None, "AgentConnected", "VPC"}
    left_out = {"uid", "resourceVersion", *(["lastTransitionTime"] if clocked else [])}
    return {key: _plain(value) for key, value in part.items() if key not in left_out}
