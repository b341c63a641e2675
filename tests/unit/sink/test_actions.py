"""What the sink tells of its writes: each that was acknowledged, with the version it made, and nothing else."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from schemas.actions import Said, Verb, Written
from schemas.codec import decode_written
from schemas.registrations import Registered
from schemas.rejected import RejectReason
from schemas.workloads import Presence, Reason
from services.sink.core.objects import Manifest
from services.sink.ports import Exactly, Kind, UnavailableError
from services.sink.trace import Line, Trace
from tests.support.cluster import MemoryCluster
from tests.support.eventually import eventually
from tests.support.policies import policy
from tests.support.registry import NAMESPACE, Registry, joiner, session, workload
from tests.unit.schemas.messages import WRITTEN
from tests.unit.sink.test_attempts import World

KEY = joiner(1).key.to_bytes()
NAME = joiner(1).key.war_name
WAR, ENTRY = "WorkloadAutoRegistration", "WorkloadEntry"


class Acknowledging(MemoryCluster):
    """Notes what it answered to whoever wrote: the kind, and the version."""

    def __init__(self) -> None:
        super().__init__(NAMESPACE)
        self.put(Kind.POLICY, policy(NAMESPACE))
        self.answered: list[tuple[str, str]] = []

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        return self._note(await super().create(kind, manifest))

    async def update(self, kind: Kind, manifest: Manifest, *, status: bool = False) -> Manifest:
        return self._note(await super().update(kind, manifest, status=status))

    async def delete(self, kind: Kind, which: Exactly) -> None:
        item = self.objects[kind, which.namespace, which.name]
        await super().delete(kind, which)
        self.answered.append((item["kind"], which.resource_version))

    def _note(self, made: Manifest) -> Manifest:
        if made["kind"] in {WAR, ENTRY, "OnboardingAttempt"}:
            self.answered.append((made["kind"], made["metadata"]["resourceVersion"]))
        return made


@pytest.fixture
async def registry() -> Registry:
    made = Registry()
    made.cluster = Acknowledging()
    await made.group()
    return made


def answered(registry: Registry) -> list[tuple[str, str]]:
    assert isinstance(registry.cluster, Acknowledging)
    return registry.cluster.answered


def told(registry: Registry) -> list[Written]:
    assert {key for key, _ in registry.actions} <= {KEY}
    return [written for _, written in registry.actions]


async def say(registry: Registry, *states: Any, settled: bool = True) -> None:  # noqa: ANN401 - see workload
    for state in states:
        registry.say(state)
        if settled:
            await registry.settle()


async def test_each_write_of_a_whole_life_is_told_with_the_version_it_made(registry: Registry) -> None:
    await say(
        registry,
        workload(joiner(1), revision=10),
        workload(joiner(1), Presence.ABSENT, revision=20),
        workload(joiner(1, version="v2.0.0"), of_session=2, revision=30),
        workload(joiner(1), Presence.UNKNOWN, of_session=2, revision=40),
        workload(joiner(1), Presence.REMOVED, of_session=2, revision=50),
    )
    registry.restore(joiner(1), minutes=5)
    await registry.settle()
    registry.now += timedelta(minutes=6)
    await registry.settle()
    assert [(one.kind, one.resource_version) for one in told(registry)] == answered(registry)
    assert {one.action for one in told(registry)} == set(Verb)
    assert all(decode_written(one.to_json()) == one for one in told(registry))

    before = len(answered(registry))
    await registry.settle()
    assert (len(answered(registry)), len(told(registry))) == (before, before), "steady: nothing written, nothing told"


async def test_an_absent_status_is_told_with_the_version_of_the_object_that_says_so(registry: Registry) -> None:
    await say(registry, workload(joiner(1), revision=10), workload(joiner(1), Presence.ABSENT, revision=20))
    war, entry = registry.war(1), registry.object(Kind.ENTRY, NAME)
    assert entry is not None
    [status, health] = told(registry)[-2:]
    assert status == Written(
        action=Verb.STATUS,
        kind=WAR,
        namespace=NAMESPACE,
        name=NAME,
        uid=war["metadata"]["uid"],
        resource_version=war["metadata"]["resourceVersion"],
        conditions=(Said(type="AgentConnected", status="False", reason="AgentMissedWindows"),),
        partition=0,
        revision=20,
        session=session(1),
        presence=Presence.ABSENT,
        reason=Reason.MISSED_WINDOWS,
    )
    assert (health.kind, health.action, health.resource_version) == (
        *(ENTRY, Verb.UPDATE),
        entry["metadata"]["resourceVersion"],
    )
    assert health.conditions == (Said(type="Healthy", status="False", reason="HealthChecksEnabled"),)


async def test_a_deletion_is_told_with_the_version_that_the_object_had_to_have(registry: Registry) -> None:
    await say(registry, workload(joiner(1), revision=10))
    sink = await registry.start()
    last = dict(registry.war(1)["metadata"])
    sink.state.take_workload(KEY, workload(joiner(1), Presence.REMOVED, revision=20).to_json())
    await sink.reconcile(KEY)
    gone = told(registry)[-1]
    assert (gone.action, gone.kind, gone.uid, gone.resource_version) == (
        *(Verb.DELETE, WAR, last["uid"]),
        last["resourceVersion"],
    )
    assert (gone.presence, gone.reason, gone.revision) == (Presence.REMOVED, Reason.GRACE_EXPIRED, 20)


async def test_what_a_forgotten_workload_leaves_is_told_without_a_state(registry: Registry) -> None:
    await say(registry, workload(joiner(1), revision=10), workload(joiner(1), Presence.REMOVED, revision=20))
    registry.restore(joiner(1), minutes=5)
    await registry.settle()
    registry.workloads[KEY] = None
    registry.now += timedelta(minutes=6)
    sink = await registry.start()
    await sink.reconcile(KEY)
    gone = told(registry)[-1]
    assert (gone.action, gone.kind, gone.revision, gone.presence) == (Verb.DELETE, ENTRY, None, None)


async def test_a_write_that_failed_or_was_not_acknowledged_is_not_told(registry: Registry) -> None:
    """It was written in the second case: nobody may say which version it made, for nobody was told."""

    def lost(_what: str) -> None:
        raise UnavailableError("the connection was lost")

    for hook in ("before", "after"):
        setattr(registry.cluster, hook, lost)
        registry.say(workload(joiner(1), revision=10))
        with pytest.raises(UnavailableError):
            await registry.settle()
        setattr(registry.cluster, hook, lambda _what: None)
    assert registry.war(1)
    assert told(registry) == []


async def test_the_state_that_is_told_is_the_one_the_write_was_planned_from(registry: Registry) -> None:
    sink = await registry.start()
    sink.state.take_workload(KEY, workload(joiner(1), revision=10).to_json())

    def newer(_what: str) -> None:
        sink.state.take_workload(KEY, workload(joiner(1), Presence.ABSENT, revision=20).to_json())

    registry.cluster.before = newer
    await sink.reconcile(KEY)
    assert (told(registry)[0].action, told(registry)[0].revision) == (Verb.CREATE, 10)


async def test_an_attempt_is_told_under_the_workload_that_tried() -> None:
    world = await World.begin()
    await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=9, offset=20, ip="10.0.0.9")
    world.registry.now += timedelta(minutes=1)
    await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=10, offset=21, ip="10.0.0.9")
    made = next(item for (kind, _, _), item in world.registry.cluster.objects.items() if kind is Kind.ATTEMPT)
    version = made["metadata"]["resourceVersion"]
    world.registry.now += timedelta(days=1)
    await world.refusals.sweep(100)
    actions = told(world.registry)
    assert [one.action for one in actions] == [Verb.CREATE, Verb.UPDATE, Verb.DELETE]
    assert {one.kind for one in actions} == {"OnboardingAttempt"}
    assert [one.resource_version for one in actions[1:]] == [version, version]
    assert (actions[1].revision, actions[1].session, actions[1].reason) == (21, session(10), "IdentityNotVerified")


class Topic:
    """What a trace writes to; it can be held up."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.up = asyncio.Event()
        self.up.set()

    async def write(self, lines: Any) -> None:  # noqa: ANN401 - lines
        await self.up.wait()
        self.lines += lines


def numbered(count: int) -> list[Written]:
    return [WRITTEN.model_copy(update={"resource_version": str(number)}) for number in range(count)]


async def test_a_trace_tells_everything_in_order_and_says_when_it_is_told() -> None:
    topic = Topic()
    trace = Trace(topic.write)
    telling = asyncio.create_task(trace.keep())
    await asyncio.wait_for(trace.told(), 1)
    for one in numbered(1200):
        trace.tell(KEY, one)
    await asyncio.wait_for(trace.told(), 5)
    telling.cancel()
    assert topic.lines == [(KEY, one) for one in numbered(1200)]


async def test_a_trace_that_kafka_holds_up_holds_up_nobody_and_keeps_what_it_has_room_for() -> None:
    topic = Topic()
    topic.up.clear()
    trace = Trace(topic.write, most=10)
    telling = asyncio.create_task(trace.keep())
    for one in numbered(25):
        trace.tell(KEY, one)
    topic.up.set()
    await asyncio.wait_for(trace.told(), 5)
    trace.tell(KEY, numbered(30)[29])

    async def last() -> bool:
        return len(topic.lines) == 11

    await eventually(last, "the eleventh")
    telling.cancel()
    assert [one.resource_version for _, one in topic.lines] == [*map(str, range(10)), "29"]


async def test_a_registration_is_answered_though_nothing_can_be_told(registry: Registry) -> None:
    trace = Trace(Topic().write, most=0)
    sink = await registry.start()
    sink.telling = sink.telling._replace(tell=trace.tell)
    sink.state.take_workload(KEY, workload(joiner(1), revision=10).to_json())
    await sink.reconcile(KEY)
    assert isinstance(registry.answer(KEY), Registered)
