"""Laws of the sink: done again it does nothing, and wherever it is ended it comes to the same."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.registrations import Ended
from schemas.workloads import Presence, Workload
from services.sink.core.health import gets_traffic
from services.sink.ports import Kind
from tests.support.registry import GROUP, KilledError, Registry, Told, joiner, workload

Event = tuple[str, int]
WORKLOADS = (1, 2)

_events: st.SearchStrategy[Event] = st.tuples(
    st.sampled_from(
        (
            *("connect", "return", "report", "unknown", "absent", "removed", "removed", "forgotten"),
            *("delete", "edit", "no group", "restore", "restore", "later"),
        )
    ),
    st.sampled_from(WORKLOADS),
)
stories = st.lists(_events, min_size=1, max_size=8)
_settings = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Story:
    """Tells a registry what happens, as the processor and people would."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.states: dict[int, Workload] = {}
        self.revision = 0

    async def tell(self, event: Event) -> None:
        """Let one thing happen."""
        what, number = event
        self.revision += 1
        known = self.states.get(number)
        if what == "edit":
            await self.registry.group(account=f"account-{self.revision}")
        elif what == "no group":
            self.registry.delete(Kind.GROUP, GROUP)
        elif what == "delete":
            self.registry.delete(Kind.WAR, joiner(number).key.war_name)
        elif what == "later":
            self.registry.now += timedelta(minutes=40)
        elif what == "restore":
            self.registry.restore(joiner(number))
        elif what == "connect":
            self.say(number, workload(joiner(number), of_session=self.revision, revision=self.revision))
        elif known is not None:
            self.change(number, what, known)

    def change(self, number: int, what: str, known: Workload) -> None:
        """Change the state of a workload that is known."""
        if what == "forgotten":
            self.registry.workloads[known.workload.key.to_bytes()] = None
            del self.states[number]
            return
        who = joiner(number, version=f"v{self.revision}") if what == "report" else known.workload
        presence = known.presence if what == "report" else Presence({"return": "connected"}.get(what, what))
        moved = workload(who, presence, revision=self.revision)
        self.say(number, moved.model_copy(update={"session": known.session}))

    def say(self, number: int, state: Workload) -> None:
        """Publish a state."""
        self.states[number] = state
        self.registry.say(state)


async def told(story: list[Event], settle: Callable[[Registry], "asyncio.Future[None]"] | None = None) -> Registry:
    """Return the world after a story in which the sink settles after each event."""
    registry = Registry()
    await registry.group()
    teller = Story(registry)
    for event in story:
        await teller.tell(event)
        await (registry.settle() if settle is None else settle(registry))
    return registry


@given(stories)
@_settings
def test_what_is_settled_is_settled_again_by_nothing(story: list[Event]) -> None:
    """A plan carried out is empty when planned again, by the same sink and by one that starts anew."""

    async def law() -> None:
        registry = await told(story)
        before = registry.writes
        await registry.settle()
        assert registry.writes == before

    asyncio.run(law())


@given(stories, st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=6))
@_settings
def test_a_sink_ended_between_any_two_writes_comes_to_the_same(
    story: list[Event], ends: list[tuple[int, bool]]
) -> None:
    """Killed before a write or right after it, once or often: the next sink ends in the same world."""

    async def law() -> tuple[Told, Told]:
        left = iter(ends)

        async def settle(registry: Registry) -> None:
            for writes, after in left:
                arm(registry, writes, after=after)
                try:
                    await registry.settle()
                except KilledError:
                    continue
                break
            disarm(registry)
            await registry.settle()

        return (await told(story)).told(), (await told(story, settle)).told()  # type: ignore[arg-type]

    undisturbed, disturbed = asyncio.run(law())
    assert disturbed == undisturbed


@given(stories)
@_settings
def test_an_endpoint_is_healthy_while_its_agent_is_there_and_not_when_it_is_gone(story: list[Event]) -> None:
    """What istiod reads of a registered workload is what the processor says; where nobody can tell, it stays so."""

    async def law() -> None:
        registry = Registry()
        await registry.group()
        teller = Story(registry)
        for event in story:
            await teller.tell(event)
            await registry.settle()
            for number, state in teller.states.items():
                name = joiner(number).key.war_name
                entry, war = registry.object(Kind.ENTRY, name), registry.object(Kind.WAR, name)
                if entry is None or war is None or state.presence is Presence.UNKNOWN:
                    continue
                assert gets_traffic(entry) is (state.presence is Presence.CONNECTED)

    asyncio.run(law())


@given(stories)
@_settings
def test_an_older_state_is_never_written_over_a_newer(story: list[Event]) -> None:
    """A sink that has read less than another changes nothing of what that one wrote."""

    async def law() -> None:
        registry = Registry()
        await registry.group()
        teller = Story(registry)
        earlier: dict[bytes, bytes | None] = {}
        for event in story:
            earlier = dict(registry.workloads)
            await teller.tell(event)
            await registry.settle()
        newer = {
            name: war["status"].get("revision")
            for (kind, _, name), war in registry.cluster.objects.items()
            if kind is Kind.WAR
        }
        registry.workloads = earlier
        await registry.settle()
        for name, revision in newer.items():
            war = registry.object(Kind.WAR, name)
            assert war is not None
            assert war["status"]["revision"] == revision

    asyncio.run(law())


@given(stories)
@_settings
def test_a_session_that_was_ended_is_never_registered(story: list[Event]) -> None:
    """Only a new session can have another registration."""

    async def law() -> None:
        registry = Registry()
        await registry.group()
        teller = Story(registry)
        ended: set[str] = set()
        for event in story:
            await teller.tell(event)
            await registry.settle()
            for key in registry.answers:
                answer = registry.answer(key)
                if isinstance(answer, Ended):
                    ended.add(answer.session)
                elif answer is not None:
                    assert answer.session not in ended

    asyncio.run(law())


@given(stories)
@_settings
def test_registered_is_said_only_of_what_kubernetes_has(story: list[Event]) -> None:
    """The object with the session in its status and the entry are there before the agent is told."""

    async def law() -> None:
        assert (await told(story)).premature == []

    asyncio.run(law())


def arm(registry: Registry, writes: int, *, after: bool) -> None:
    """End the sink before or after the write that follows ``writes`` others."""
    left = [writes]

    def count(_what: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError

    disarm(registry)
    if after:
        registry.cluster.after = count
    else:
        registry.cluster.before = count


def disarm(registry: Registry) -> None:
    """Let the sink live."""
    registry.cluster.before = registry.cluster.after = lambda _what: None
