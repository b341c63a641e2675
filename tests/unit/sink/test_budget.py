"""The write budget: so many a second, none while Kubernetes asks to be left alone, and no removal that waited."""

import asyncio

import pytest

from services.sink import metrics
from services.sink.budget import Budget, Budgeted
from services.sink.ports import Exactly, Kind, UnavailableError
from tests.support.registry import GROUP, NAMESPACE, Registry, joiner, workload


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def turns(budget: Budget, number: int, now: float) -> list[float]:
    return [budget._turn(now) for _ in range(number)]


def test_a_burst_goes_at_once_and_what_follows_at_the_rate() -> None:
    waits = turns(Budget(10, 5, Clock()), 8, 100.0)
    assert waits == pytest.approx([0, 0, 0, 0, 0, 0.1, 0.2, 0.3])


def test_a_quiet_time_earns_a_burst_and_no_more() -> None:
    budget = Budget(10, 5, Clock())
    turns(budget, 50, 100.0)
    assert turns(budget, 6, 1000.0) == pytest.approx([0, 0, 0, 0, 0, 0.1])


def test_what_is_borrowed_is_made_up_for() -> None:
    clock = Clock()
    budget = Budget(10, 1, clock)
    for _ in range(4):
        budget.borrow()
    assert budget._turn(clock.now) == pytest.approx(0.4)


def test_nothing_is_borrowed_while_kubernetes_asks_to_be_left_alone() -> None:
    clock = Clock()
    budget = Budget(10, 1, clock)
    budget.pause(7)
    clock.now += 2
    with pytest.raises(UnavailableError) as held:
        budget.borrow()
    assert held.value.after_s == pytest.approx(5)
    clock.now += 5
    budget.borrow()


async def test_one_answer_to_wait_holds_back_every_write() -> None:
    """Else each of ten thousand workloads would ask for itself."""
    registry = Registry()
    await registry.group()
    throttled = metrics.THROTTLED._value.get()

    def refuse(_what: str) -> None:
        raise UnavailableError("429: too many requests", 3600)

    registry.cluster.before = refuse
    cluster = Budgeted(registry.cluster, Budget(1000, 1000))
    group = registry.object(Kind.GROUP, GROUP)
    assert group is not None
    with pytest.raises(UnavailableError):
        await cluster.update(Kind.GROUP, group)
    asked: list[str] = []
    registry.cluster.before = asked.append
    waiting = [asyncio.ensure_future(cluster.create(Kind.GROUP, group)) for _ in range(3)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert not asked
    assert metrics.THROTTLED._value.get() == throttled + 1
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_removal_never_waits_for_the_budget() -> None:
    """Its workload may come back meanwhile, and the object would still be the one that was to be deleted."""
    registry = Registry()
    await registry.group()
    registry.say(workload(joiner(1)))
    await registry.settle()
    budget = Budget(1000, 1)
    cluster = Budgeted(registry.cluster, budget)
    budget.pause(3600)
    about = registry.war(1)["metadata"]
    which = Exactly(NAMESPACE, about["name"], about["uid"], about["resourceVersion"])
    with pytest.raises(UnavailableError, match="left alone"):
        await asyncio.wait_for(cluster.delete(Kind.WAR, which), 5)
    assert registry.war(1)


async def test_reads_cost_nothing() -> None:
    registry = Registry()
    await registry.group()
    budget = Budget(1 / 3600, 1)
    cluster = Budgeted(registry.cluster, budget)
    budget.pause(3600)
    assert len((await cluster.list(Kind.GROUP)).items) == 1


async def test_what_came_of_each_write_is_counted() -> None:
    registry = Registry()
    await registry.group()
    cluster = Budgeted(registry.cluster, Budget(1000, 10))
    written = metrics.WRITES.labels("workloadgroups", "ok")._value.get()
    refused = metrics.WRITES.labels("workloadgroups", "AlreadyExistsError")._value.get()
    wanted = {"metadata": {"namespace": NAMESPACE, "name": "reviews"}, "spec": {}}
    await cluster.create(Kind.GROUP, wanted)
    with pytest.raises(Exception, match="already exists"):
        await cluster.create(Kind.GROUP, wanted)
    assert metrics.WRITES.labels("workloadgroups", "ok")._value.get() == written + 1
    assert metrics.WRITES.labels("workloadgroups", "AlreadyExistsError")._value.get() == refused + 1
