"""When most of the fleet falls silent its observer is doubted, and nothing is taken from the silent."""

from datetime import timedelta

import pytest

from schemas.events import Introduction
from schemas.names import CONTROL_KEY
from schemas.registrations import Ended
from schemas.removals import Release
from schemas.workloads import Presence, Reason, Workload
from services.sink.core.fleet import Fleet, Limits
from services.sink.core.health import gets_traffic
from services.sink.ports import Kind
from services.sink.reconciler import Reconciler
from tests.support.registry import START, Registry, joiner, workload

NOW = START
RESPITE = Limits().respite
FIRST, MANY = 10, 8


def key(number: int) -> bytes:
    return str(number).encode()


def state(presence: Presence, reason: Reason | None = None) -> Workload:
    said = workload(joiner(1), presence)
    return said if reason is None else said.model_copy(update={"reason": reason})


def fleet(here: int, silent: int) -> Fleet:
    """Return a fleet of so many, of whom some have missed their windows."""
    made = Fleet()
    for number in range(here + silent):
        made.take(key(number), state(Presence.CONNECTED))
    for number in range(silent):
        made.take(key(number), state(Presence.ABSENT))
    return made


@pytest.mark.parametrize(
    ("here", "silent", "holding"),
    [(0, 8, True), (45, 55, False), (44, 56, True), (100, 8, False), (0, 2, False), (0, 3, True), (1, 2, False)],
)
def test_it_doubts_where_more_than_its_share_is_silent_and_no_few(here: int, silent: int, *, holding: bool) -> None:
    made = fleet(here, silent)
    assert made.judge(NOW) is holding
    assert made.holding is holding


def test_who_said_goodbye_is_not_silent() -> None:
    made = fleet(8, 0)
    for number in range(8):
        made.take(key(number), state(Presence.ABSENT, Reason.DISCONNECTED))
        made.take(key(number), state(Presence.REMOVED))
    assert not made.judge(NOW)
    assert not made.silent


def test_newcomers_do_not_end_the_doubt() -> None:
    made = fleet(0, 30)
    made.judge(NOW)
    for number in range(100, 1000):
        made.take(key(number), state(Presence.CONNECTED))
    assert not made.judge(NOW + 2 * RESPITE)
    assert made.holding


def test_it_ends_when_most_are_back_for_a_while_and_not_at_once() -> None:
    """Who comes back a little later than most is not taken for dead."""
    made = fleet(0, 8)
    made.judge(NOW)
    for number in range(6):
        made.take(key(number), state(Presence.CONNECTED))
    assert not made.judge(NOW + RESPITE)
    assert not made.judge(NOW + RESPITE * 1.5)
    assert made.judge(NOW + RESPITE * 2)
    assert not made.holding


def test_a_relapse_begins_the_respite_anew() -> None:
    made = fleet(0, 8)
    made.judge(NOW)
    for number in range(6):
        made.take(key(number), state(Presence.CONNECTED))
    made.judge(NOW)
    made.take(key(0), state(Presence.ABSENT))
    assert not made.judge(NOW + RESPITE)
    made.take(key(0), state(Presence.CONNECTED))
    assert not made.judge(NOW + RESPITE * 1.5)
    assert made.judge(NOW + RESPITE * 2.5)


class Small:
    """A fleet of eight that is registered; a sink that goes on reads what is said of it."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.revision = FIRST
        self.sink: Reconciler

    async def says(self, presence: Presence, *numbers: int, reason: Reason | None = None) -> None:
        """Let the processor say this of some, and the sink act on it."""
        self.revision += 1
        for number in numbers:
            said = workload(joiner(number), presence, revision=self.revision)
            self.registry.say(said if reason is None else said.model_copy(update={"reason": reason}))
        await self.settles()

    async def settles(self) -> None:
        """Let a sink that starts now do all there is to do, twice: the second time it knows of all."""
        await self.registry.settle()
        before = self.registry.writes
        await self.registry.settle()
        assert self.registry.writes == before

    def registered(self) -> list[int]:
        return [n for n in range(1, MANY + 1) if self.registry.object(Kind.WAR, _of(n).key.war_name)]

    def gets_traffic(self, number: int) -> bool:
        entry = self.registry.object(Kind.ENTRY, _of(number).key.war_name)
        assert entry is not None
        return gets_traffic(entry)

    def suspended(self, number: int) -> bool:
        return any(c["type"] == "RemovalSuspended" for c in self.registry.war(number)["status"]["conditions"])


def _of(number: int) -> Introduction:
    return joiner(number)


ALL = tuple(range(1, MANY + 1))


@pytest.fixture
async def small() -> Small:
    made = Small(Registry())
    await made.registry.group()
    await made.says(Presence.CONNECTED, *ALL)
    assert made.registered() == list(ALL)
    return made


async def test_of_a_fleet_that_falls_silent_nobody_is_removed_and_endpoints_keep_their_traffic(small: Small) -> None:
    await small.says(Presence.ABSENT, *ALL)
    await small.says(Presence.REMOVED, *ALL)
    assert small.registered() == list(ALL)
    assert all(small.gets_traffic(number) for number in ALL)
    assert all(small.suspended(number) for number in ALL)
    assert small.registry.condition(1, "AgentConnected")["status"] == "False"


async def test_sessions_that_were_removed_are_told_so_and_come_back_with_new_ones(small: Small) -> None:
    """The processor hears nothing more of such a session: an agent that lives must begin another one."""
    await small.says(Presence.ABSENT, *ALL)
    await small.says(Presence.REMOVED, *ALL)
    uids = [small.registry.war(number)["metadata"]["uid"] for number in ALL]
    assert all(isinstance(small.registry.answer(_of(number).key), Ended) for number in ALL)
    for number in ALL:
        small.registry.say(workload(joiner(number), of_session=2, revision=50))
    await small.settles()
    assert [small.registry.war(number)["metadata"]["uid"] for number in ALL] == uids
    assert not any(small.suspended(number) for number in ALL)
    assert small.registry.condition(1, "AgentConnected")["status"] == "True"


async def test_what_was_taken_from_the_first_is_given_back_when_most_follow(small: Small) -> None:
    await small.says(Presence.ABSENT, 1, 2)
    assert not small.gets_traffic(1)
    await small.says(Presence.ABSENT, *ALL[2:])
    assert small.gets_traffic(1)


async def test_who_said_goodbye_is_removed_all_the_same(small: Small) -> None:
    await small.says(Presence.ABSENT, 1, reason=Reason.DISCONNECTED)
    await small.says(Presence.ABSENT, *ALL[1:])
    await small.says(Presence.REMOVED, *ALL)
    assert small.registered() == list(ALL[1:])


async def test_an_operator_can_say_that_they_are_gone(small: Small) -> None:
    await small.says(Presence.ABSENT, *ALL)
    await small.says(Presence.REMOVED, *ALL)
    sink = await small.registry.start()
    order = Release(who="ann", why="datacenter b burnt down", for_seconds=3600).to_json()
    assert sink.state.take_restore(CONTROL_KEY, order, small.registry.now) is None
    assert sink.state.fleet.judge(small.registry.now + timedelta(minutes=1))
    for number in ALL:
        await sink.reconcile(_of(number).key.to_bytes())
    assert small.registered() == []
    assert not sink.state.fleet.silent


async def test_a_few_dead_among_many_are_removed_as_ever(small: Small) -> None:
    await small.says(Presence.ABSENT, 1, 2)
    await small.says(Presence.REMOVED, 1, 2)
    assert small.registered() == list(ALL[2:])
