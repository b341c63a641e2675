"""A removal leaves a record, and an operator's order brings the entry back from it, for a time."""

from datetime import timedelta

import pytest

from schemas.registrations import Ended, Registered
from schemas.workloads import Presence, Reason
from services.sink.core.entry import RESTORED
from services.sink.ports import Kind
from tests.support.registry import GROUP, NAMESPACE, KilledError, Registry, joiner, session, workload

WHO = joiner(1)
KEY = WHO.key.to_bytes()
NAME = WHO.key.war_name
OVER = timedelta(minutes=61)


@pytest.fixture
async def removed() -> Registry:
    """One workload was registered, and removed by the tick at offset 20."""
    registry = Registry()
    await registry.group()
    registry.say(workload(WHO))
    await registry.settle()
    registry.say(workload(WHO, Presence.REMOVED, revision=20))
    await registry.settle()
    assert registry.object(Kind.ENTRY, NAME) is None
    return registry


async def test_what_is_removed_leaves_its_last_spec_and_the_verdict() -> None:
    registry = Registry()
    await registry.group()
    registry.say(workload(WHO))
    await registry.settle()
    war = registry.war(1)
    registry.say(workload(WHO, Presence.REMOVED, revision=20, partition=0))
    await registry.settle()
    kept = registry.removals[KEY]
    assert kept.spec.model_dump(mode="json", exclude_none=True) == war["spec"]
    assert (kept.uid, kept.namespace, kept.name) == (war["metadata"]["uid"], NAMESPACE, NAME)
    assert (kept.partition, kept.revision, kept.window, kept.reason) == (0, 20, 20, Reason.GRACE_EXPIRED)


async def test_nothing_is_removed_whose_record_could_not_be_kept() -> None:
    """Ended between the two, the next sink keeps it once more and then removes."""
    registry = Registry()
    await registry.group()
    registry.say(workload(WHO))
    await registry.settle()
    registry.say(workload(WHO, Presence.REMOVED, revision=20))

    def end(what: str) -> None:
        if what == "keep":
            raise KilledError

    registry.cluster.before = end
    with pytest.raises(KilledError):
        await registry.settle()
    assert registry.object(Kind.WAR, NAME) is not None
    registry.cluster.before = lambda _what: None
    await registry.settle()
    assert registry.removals[KEY].revision == 20
    assert registry.object(Kind.WAR, NAME) is None


async def test_a_restored_entry_is_what_it_was_and_says_until_when_by_whom_and_why(removed: Registry) -> None:
    before = removed.removals[KEY]
    removed.restore(WHO)
    await removed.settle()
    entry = removed.object(Kind.ENTRY, NAME)
    assert entry is not None
    assert entry["spec"]["address"] == "172.31.5.254"
    assert entry["spec"]["serviceAccount"] == before.spec.workload_group.spec["template"]["serviceAccount"]
    assert entry["metadata"]["annotations"] == {
        f"{RESTORED}until": "2026-11-24T01:00:00.000Z",
        f"{RESTORED}by": "ann",
        f"{RESTORED}why": "it is alive",
    }
    assert removed.object(Kind.WAR, NAME) is None
    assert isinstance(removed.answer(KEY), Ended)


async def test_it_goes_when_its_time_is_over(removed: Registry) -> None:
    removed.restore(WHO)
    await removed.settle()
    removed.now += OVER
    await removed.settle()
    assert removed.object(Kind.ENTRY, NAME) is None
    before = removed.writes
    await removed.settle()
    assert removed.writes == before


async def test_the_sink_looks_at_it_again_when_its_time_is_over(removed: Registry) -> None:
    removed.restore(WHO)
    sink = await removed.start()
    assert 3590 < await sink.reconcile(KEY) <= 3600


async def test_the_agent_that_speaks_again_adopts_it(removed: Registry) -> None:
    """It becomes the entry of the new registration, in place, and is never taken back."""
    removed.restore(WHO)
    await removed.settle()
    entry = removed.object(Kind.ENTRY, NAME)
    assert entry is not None
    removed.say(workload(joiner(1, ip="172.31.9.9"), of_session=2, revision=30))
    await removed.settle()
    adopted = removed.object(Kind.ENTRY, NAME)
    assert adopted is not None
    assert adopted["metadata"]["uid"] == entry["metadata"]["uid"]
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == removed.war(1)["metadata"]["uid"]
    assert adopted["metadata"]["annotations"] == {}
    assert adopted["spec"]["address"] == "172.31.9.9"
    answer = removed.answer(KEY)
    assert isinstance(answer, Registered)
    assert answer.session == session(2)
    removed.now += OVER
    await removed.settle()
    assert removed.object(Kind.ENTRY, NAME) is not None


async def test_an_order_for_an_earlier_removal_brings_nothing_back(removed: Registry) -> None:
    """The agent came back meanwhile and went again: that was not what the operator looked at."""
    removed.restore(WHO)
    removed.say(workload(WHO, of_session=2, revision=30))
    await removed.settle()
    removed.say(workload(WHO, Presence.REMOVED, of_session=2, revision=40))
    await removed.settle()
    assert removed.object(Kind.ENTRY, NAME) is None


async def test_a_workload_that_is_forgotten_meanwhile_keeps_its_restored_entry(removed: Registry) -> None:
    removed.restore(WHO)
    await removed.settle()
    removed.workloads[KEY] = None
    await removed.settle()
    assert removed.object(Kind.ENTRY, NAME) is not None
    removed.now += OVER
    await removed.settle()
    assert removed.object(Kind.ENTRY, NAME) is None


async def test_an_entry_that_is_not_ours_is_left_alone(removed: Registry) -> None:
    theirs = {"metadata": {"namespace": NAMESPACE, "name": NAME}, "spec": {"address": "10.0.0.1"}}
    await removed.cluster.create(Kind.ENTRY, theirs)
    removed.restore(WHO)
    await removed.settle()
    removed.now += OVER
    await removed.settle()
    entry = removed.object(Kind.ENTRY, NAME)
    assert entry is not None
    assert entry["spec"] == {"address": "10.0.0.1"}


async def test_without_its_group_nothing_comes_back(removed: Registry) -> None:
    """And with it goes what had come back: Kubernetes collects it, and the sink makes no other."""
    removed.restore(WHO)
    await removed.settle()
    removed.delete(Kind.GROUP, GROUP)
    await removed.settle()
    assert removed.object(Kind.ENTRY, NAME) is None


async def test_an_order_of_another_workload_is_rejected(removed: Registry) -> None:
    removed.restore(WHO)
    sink = await removed.start()
    order = removed.restores[KEY].order
    assert sink.state.take_restore(joiner(2).key.to_bytes(), order.to_json(), removed.now) is not None
    other = order.model_copy(update={"removal": order.removal.model_copy(update={"name": "elsewhere"})})
    assert sink.state.take_restore(KEY, other.to_json(), removed.now) is not None
    assert sink.state.take_restore(KEY, b"{}", removed.now) is not None
