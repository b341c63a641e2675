"""Removals wait for their turn; nothing else waits with them."""

from schemas.removals import Removal
from schemas.workloads import Presence
from services.sink.ports import Kind
from services.sink.reconciler import Pace
from tests.support.registry import Registry, joiner, workload

HOURLY = 1 / 3600


async def test_who_waits_to_be_removed_holds_up_nobody() -> None:
    """A removal whose turn is in an hour is handed back at once, and who joins after it is registered."""
    registry = Registry()
    await registry.group()
    for number in (1, 2):
        registry.say(workload(joiner(number)))
    await registry.settle()
    removed = [registry.say(workload(joiner(number), Presence.REMOVED, revision=20)) for number in (1, 2)]
    joining = registry.say(workload(joiner(3)))
    sink = await registry.start()
    sink.pace = Pace(HOURLY)
    assert await sink.reconcile(removed[0]) == 0
    assert 3500 < await sink.reconcile(removed[1]) <= 3600
    assert await sink.reconcile(joining) == 0
    assert registry.object(Kind.WAR, joiner(1).key.war_name) is None
    assert registry.war(2)
    assert registry.war(3)


async def test_a_turn_is_kept_however_often_it_is_asked_for() -> None:
    """Looking at everything again must not send who waits to the end of the line."""
    pace = Pace(HOURLY)
    assert pace.turn(b"first") == 0
    waits = [pace.turn(b"second") for _ in range(3)]
    assert max(waits) <= 3600
    assert 7000 < pace.turn(b"third") <= 7200


async def test_who_came_back_before_its_turn_is_not_removed() -> None:
    registry = Registry()
    await registry.group()
    registry.say(workload(joiner(1)))
    await registry.settle()
    key = registry.say(workload(joiner(1), Presence.REMOVED, revision=20))
    sink = await registry.start()
    sink.pace = Pace(HOURLY)
    sink.pace.turn(b"another")
    assert await sink.reconcile(key) > 0
    back = workload(joiner(1), of_session=2, revision=30)
    sink.state.take_workload(key, back.to_json())
    assert await sink.reconcile(key) == 0
    assert registry.war(1)["status"]["session"] == back.session


async def test_who_came_back_while_the_removal_was_being_kept_is_not_removed() -> None:
    """Kafka may be away for an hour between the removal's record and the deletion: the plan of before is no reason."""
    registry = Registry()
    await registry.group()
    registry.say(workload(joiner(1)))
    await registry.settle()
    key = registry.say(workload(joiner(1), Presence.REMOVED, revision=20))
    sink = await registry.start()
    back = workload(joiner(1), of_session=2, revision=30)

    async def keep(_key: bytes, _removal: Removal) -> None:
        sink.state.take_workload(key, back.to_json())

    sink.telling = sink.telling._replace(keep=keep)
    before = registry.war(1)["metadata"]["uid"]
    assert await sink.reconcile(key) == 0
    assert registry.war(1)["metadata"]["uid"] == before
    assert registry.war(1)["status"]["session"] == back.session


async def test_turns_come_at_the_pace() -> None:
    """Fifty a second: the sixth is a tenth of a second away, whoever asks when."""
    pace = Pace(50)
    waits = [pace.turn(str(number).encode()) for number in range(6)]
    assert waits[0] == 0
    assert 0.05 < waits[5] <= 0.1


async def test_an_answer_to_a_workload_forgotten_while_the_sink_was_down_is_forgotten_too() -> None:
    registry = Registry()
    await registry.group()
    key = registry.say(workload(joiner(1)))
    await registry.settle()
    registry.say(workload(joiner(1), Presence.REMOVED, revision=20))
    await registry.settle()
    assert registry.answer(key) is not None
    registry.workloads[key] = None
    sink = await registry.start()
    for known in sink.state.keys_known():
        await sink.reconcile(known)
    assert registry.answer(key) is None


async def test_a_turn_given_up_is_not_there_to_be_used_later() -> None:
    """Who came back and is removed again waits at the end of the line, else the pace would not hold."""
    registry = Registry()
    await registry.group()
    registry.say(workload(joiner(1)))
    await registry.settle()
    key = registry.say(workload(joiner(1), Presence.REMOVED, revision=20))
    sink = await registry.start()
    sink.pace = Pace(HOURLY)
    sink.pace.turn(b"another")
    assert await sink.reconcile(key) <= 3600
    sink.state.take_workload(key, workload(joiner(1), of_session=2, revision=30).to_json())
    assert await sink.reconcile(key) == 0
    sink.state.take_workload(key, workload(joiner(1), Presence.REMOVED, of_session=2, revision=40).to_json())
    assert await sink.reconcile(key) > 7000
