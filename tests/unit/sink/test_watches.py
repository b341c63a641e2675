"""What the sink sees of Kubernetes, in whatever order it is told of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta

import pytest

from services.runtime.config import HttpSettings
from services.runtime.health import Health
from services.sink.ports import Kind, Listed, UnavailableError
from services.sink.state import State
from services.sink.watches import Watch
from tests.support.registry import GROUP, NAMESPACE, Registry, joiner, workload

KEY = joiner(1).key.to_bytes()
NAME = joiner(1).key.war_name


async def until(true: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be so")


class Follower:
    """A watch of registrations, and whom it concerned."""

    def __init__(self, registry: Registry, state: State) -> None:
        self.concerned: list[bytes] = []
        self.health = Health("sink", HttpSettings(port=None))
        self.watch = Watch(registry.cluster, Kind.WAR, state, self._concern)
        self.task = asyncio.create_task(self.watch.follow(self.health))

    def _concern(self, keys: Iterable[bytes]) -> None:
        self.concerned.extend(keys)


@pytest.fixture
async def registry() -> Registry:
    """One workload is registered."""
    made = Registry()
    await made.group()
    made.say(workload(joiner(1)))
    await made.settle()
    return made


@pytest.fixture
async def state(registry: Registry) -> State:
    """What a sink knows that has read the topics, and nothing of Kubernetes."""
    known = State()
    known.take_workload(KEY, registry.workloads[KEY])
    return known


@pytest.fixture
async def follower(registry: Registry, state: State) -> AsyncIterator[Follower]:
    """A watch that has listed."""
    follows = Follower(registry, state)
    await follows.watch.listed.wait()
    yield follows
    follows.task.cancel()


async def test_a_deletion_concerns_the_workload(registry: Registry, state: State, follower: Follower) -> None:
    follower.concerned.clear()
    registry.delete(Kind.WAR, NAME)
    await until(lambda: KEY in follower.concerned)
    assert (NAMESPACE, NAME) not in state.objects[Kind.WAR]


async def test_a_deletion_nobody_told_of_is_noticed_by_the_next_list(
    registry: Registry, state: State, follower: Follower
) -> None:
    follower.concerned.clear()
    registry.delete(Kind.WAR, NAME)
    registry.cluster.compact()
    await until(lambda: KEY in follower.concerned)
    assert (NAMESPACE, NAME) not in state.objects[Kind.WAR]


async def test_a_list_that_fails_says_nothing(
    registry: Registry, state: State, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_kind: Kind) -> Listed:
        raise UnavailableError("503: starting")

    monkeypatch.setattr(registry.cluster, "list", fail)
    await registry.group("another")
    registry.cluster.compact()
    await until(lambda: not follower.health.ready)
    assert (NAMESPACE, NAME) in state.objects[Kind.WAR]


async def test_a_list_older_than_our_own_write_does_not_undo_it(registry: Registry, state: State) -> None:
    """Else a registration just made would look as if somebody had deleted it, and its session would be ended."""
    before = await registry.cluster.list(Kind.WAR)
    registry.say(workload(joiner(2)))
    await registry.settle()
    state.put(Kind.WAR, registry.war(2))
    state.replace(Kind.WAR, before.items, before.resource_version)
    assert (NAMESPACE, joiner(2).key.war_name) in state.objects[Kind.WAR]


@pytest.mark.usefixtures("follower")
async def test_a_reply_that_comes_after_the_news_of_the_deletion_brings_nothing_back(
    registry: Registry, state: State
) -> None:
    """Else every later write would be to an object that is not there, and no list would ever say so."""
    reply = registry.war(1)
    registry.delete(Kind.WAR, NAME)
    await until(lambda: (NAMESPACE, NAME) not in state.objects[Kind.WAR])
    state.put(Kind.WAR, reply)
    assert (NAMESPACE, NAME) not in state.objects[Kind.WAR]


async def test_an_older_version_of_an_object_is_not_taken(registry: Registry, state: State) -> None:
    older = registry.war(1)
    newer = await registry.cluster.update(Kind.WAR, {**older, "status": {"revision": 99}}, status=True)
    state.put(Kind.WAR, newer)
    state.put(Kind.WAR, older)
    assert state.objects[Kind.WAR][NAMESPACE, NAME]["status"] == {"revision": 99}


async def test_a_group_concerns_its_workloads_and_no_other(state: State) -> None:
    other = workload(joiner(2, group="reviews"))
    state.take_workload(other.workload.key.to_bytes(), other.to_json())
    assert state.keys(Kind.GROUP, (NAMESPACE, GROUP)) == {KEY}
    assert state.keys(Kind.NAMESPACE, ("", NAMESPACE)) == {KEY, other.workload.key.to_bytes()}


async def test_only_a_newer_revision_is_taken(state: State) -> None:
    state.take_workload(KEY, workload(joiner(1, version="old"), revision=9).to_json())
    assert state.wanted[KEY].revision == 10


async def test_revisions_of_two_partitions_are_not_compared(state: State) -> None:
    """After the topics were given more partitions the newer record has the lower offset: the time tells which it is."""
    before = state.wanted[KEY]
    moved = workload(joiner(1), revision=2, partition=5).model_copy(update={"since": before.since + timedelta(hours=1)})
    state.take_workload(KEY, moved.to_json())
    state.take_workload(KEY, before.to_json())
    assert (state.wanted[KEY].partition, state.wanted[KEY].revision) == (5, 2)


@pytest.mark.parametrize("value", [b"\xff", b"{}", b'{"v":2,"type":"workload"}'])
async def test_what_is_no_state_is_named_and_changes_nothing(state: State, value: bytes) -> None:
    assert state.take_workload(KEY, value) is not None
    assert state.wanted[KEY].revision == 10


async def test_a_state_under_another_workloads_key_is_no_state(state: State) -> None:
    assert state.take_workload(joiner(2).key.to_bytes(), workload(joiner(1), revision=20).to_json()) is not None
    assert state.wanted[KEY].revision == 10
