"""Refusals as objects: what is shown of whom, and for how long."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.attempts import Standing
from schemas.events import Connect
from schemas.message import instant
from schemas.names import WorkloadKey
from schemas.registrations import RefusalReason, Refused, Registered
from schemas.rejected import Rejected, RejectReason
from services.sink.core.attempt import Attempt, place, place_told
from services.sink.core.claim import Claimant
from services.sink.core.refusal import Refusal, by_processor
from services.sink.ports import InvalidError, Kind, UnavailableError
from services.sink.reconciler import Reconciler
from services.sink.refusals import Refusals
from services.sink.settings import AttemptSettings
from tests.support.policies import policy
from tests.support.registry import NAMESPACE, START, Registry, joiner, session, workload

ELSEWHERE: list[dict[str, Any]] = [{"workloads": [{"aws": {"accounts": ["999999999999"], "ec2": {}}}]}]
FOR_ANY: dict[str, Any] = {"onboardTo": [{"workloadGroupSelector": {}}]}


class World:
    """A registry with a sink, whose refusals are shown."""

    def __init__(self, registry: Registry, sink: Reconciler) -> None:
        self.registry = registry
        self.sink = sink
        self.told: list[tuple[WorkloadKey, str, Refused | None]] = []
        self.refusals = self.another()

    @classmethod
    async def begin(cls) -> "World":
        registry = Registry()
        registry.now = START + timedelta(minutes=1)
        await registry.group()
        return cls(registry, await registry.start())

    def another(self, **settings: Any) -> Refusals:  # noqa: ANN401 - any setting
        made = Refusals(
            self.registry.cluster,
            self.sink.state,
            self._tell,
            self.registry.tell,
            AttemptSettings(**settings),
            lambda: self.registry.now,
        )
        made.adopt(self.sink.state.keys_known())
        self.refusals = made
        return made

    async def _tell(self, key: WorkloadKey, of_session: str, answer: Refused | None) -> None:
        self.told.append((key, of_session, answer))

    async def say(self, number: int, **state: Any) -> None:  # noqa: ANN401 - any part of a state
        said = workload(joiner(number), **state)
        key = said.workload.key.to_bytes()
        self.sink.state.take_workload(key, said.to_json())
        await self.look(key)

    async def look(self, key: bytes) -> float:
        turn = await self.sink.reconcile(key)
        self.refusals.look(key)
        await self.refusals.sweep(100)
        return turn

    async def policy(self, **spec: Any) -> None:  # noqa: ANN401 - any part of a policy
        self.registry.cluster.put(Kind.POLICY, policy(NAMESPACE, **spec))
        self.sink.state.replace(Kind.POLICY, *await self.registry.cluster.list(Kind.POLICY))

    async def rejects(self, number: int, reason: RejectReason, *, of_session: int, offset: int, ip: str) -> None:
        letter = rejected(number, reason, of_session=of_session, offset=offset, ip=ip)
        await self.hears(letter)

    async def hears(self, letter: Rejected) -> None:
        refusal = by_processor(letter)
        assert refusal is not None
        for key in await self.refusals.hear([refusal]):
            await self.sink.reconcile(key)
        await self.refusals.sweep(100)

    def attempt(self, number: int, standing: Standing = Standing.VERIFIED) -> Any:  # noqa: ANN401 - JSON
        namespace, name = place(joiner(number).key, standing)
        return self.registry.cluster.objects.get((Kind.ATTEMPT, namespace, name))

    @property
    def attempts(self) -> list[str]:
        return sorted(name for (kind, _, name) in self.registry.cluster.objects if kind is Kind.ATTEMPT)


def rejected(number: int, reason: RejectReason, *, of_session: int, offset: int, ip: str) -> Rejected:
    event = Connect(session=session(of_session), seq=0, workload=joiner(number, ip=ip))
    return Rejected.model_construct(
        reason=reason,
        message="CredentialExpired: it ended yesterday",
        by="processor",
        topic="muster.events",
        partition=0,
        offset=offset,
        timestamp=START + timedelta(seconds=offset),
        key=event.workload.key.to_bytes(),
        value=event.to_json(),
    )


async def test_a_refusal_by_policy_says_which_clause_failed_and_goes_when_the_workload_joined() -> None:
    world = await World.begin()
    await world.policy(allow=[{**ELSEWHERE[0], **FOR_ANY}])
    await world.say(1)
    shown = world.attempt(1)
    assert shown["spec"] == {
        "workloadGroup": "ratings",
        "identity": joiner(1).identity.model_dump(mode="json", exclude_none=True),
        "standing": "Verified",
    }
    status = shown["status"]
    assert (status["reason"], status["attempts"]) == ("NotAllowedByPolicy", 1)
    assert status["addresses"] == [{"ip": "172.31.5.254", "type": "VPC"}]
    clause = status["failedClause"]
    assert clause["policy"] == "machines"
    assert clause["clause"].endswith("aws.accounts")
    assert "999999999999" in clause["expected"]
    assert "123456789012" in clause["received"]

    await world.policy()
    await world.look(joiner(1).key.to_bytes())
    assert isinstance(world.registry.answer(joiner(1).key), Registered)
    assert world.attempts == []


async def test_a_refusal_says_which_policy_is_not_understood_and_names_no_clause_of_it() -> None:
    world = await World.begin()
    await world.policy(deny=[])
    await world.say(1)
    status = world.attempt(1)["status"]
    assert status["message"].startswith("OnboardingPolicy machines is not understood and allows nobody (spec.deny: ")
    assert "failedClause" not in status
    await world.policy()
    await world.look(joiner(1).key.to_bytes())
    assert isinstance(world.registry.answer(joiner(1).key), Registered)


async def test_a_refused_workload_that_stays_is_shown_however_long_ago_it_tried() -> None:
    world = await World.begin()
    await world.policy(allow=[])
    await world.say(1)
    world.registry.now += timedelta(days=3)
    await world.refusals.sweep(100)
    assert world.attempts == [joiner(1).key.war_name]
    world.another()
    await world.refusals.sweep(100)
    assert world.attempts == [joiner(1).key.war_name]
    assert world.attempt(1)["status"]["attempts"] == 1


async def test_another_session_is_another_attempt_and_a_changed_presence_is_none() -> None:
    world = await World.begin()
    await world.policy(allow=[])
    await world.say(1, revision=10)
    await world.say(1, revision=11)
    world.registry.now += timedelta(minutes=1)
    await world.refusals.sweep(100)
    assert world.attempt(1)["status"]["attempts"] == 1
    await world.say(1, revision=12, of_session=2)
    assert world.attempt(1)["status"]["attempts"] == 1, "written a moment ago"
    world.registry.now += timedelta(minutes=1)
    await world.refusals.sweep(100)
    assert world.attempt(1)["status"]["attempts"] == 2


async def test_a_claim_that_nobody_proved_is_shown_beside_what_is_said_of_the_proven_machine() -> None:
    world = await World.begin()
    await world.policy(allow=[])
    await world.say(1)
    await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=9, offset=20, ip="10.0.0.9")
    assert world.attempt(1)["status"]["reason"] == "NotAllowedByPolicy"
    claim = world.attempt(1, Standing.UNVERIFIED)["status"]
    assert (claim["reason"], claim["message"]) == ("IdentityNotVerified", "CredentialExpired: it ended yesterday")
    assert claim["addresses"][0]["ip"] == "10.0.0.9"
    assert world.attempts == [joiner(1).key.war_name, f"{joiner(1).key.war_name}--unverified"]


async def test_a_claim_to_a_group_that_is_not_there_makes_no_object_but_is_answered() -> None:
    world = await World.begin()
    world.sink.state.objects[Kind.GROUP].clear()
    await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=9, offset=20, ip="10.0.0.9")
    assert world.attempts == []
    [(key, told, answer)] = world.told
    assert (key, told) == (joiner(1).key, session(9))
    assert answer is not None
    assert answer.reason is RefusalReason.NOT_VERIFIED


async def test_a_session_is_told_once_and_forgotten_after_the_retention() -> None:
    world = await World.begin()
    for offset in (20, 21):
        await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=9, offset=offset, ip="10.0.0.9")
    assert len(world.told) == 1
    world.registry.now += timedelta(hours=2)
    await world.refusals.sweep(100)
    assert world.told[1:] == [(joiner(1).key, session(9), None)]
    assert world.attempts == []


async def test_a_session_that_has_begun_since_is_not_told_of_its_refusal_any_more() -> None:
    world = await World.begin()
    await world.say(1, of_session=9, revision=30)
    await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=9, offset=20, ip="10.0.0.9")
    assert world.told == []
    assert world.attempts == []


async def test_what_was_rejected_before_the_workload_joined_is_not_shown_when_it_is_read_again() -> None:
    world = await World.begin()
    await world.say(1, of_session=2, revision=30)
    await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=9, offset=20, ip="10.0.0.9")
    assert world.attempts == []


async def test_a_twin_is_shown_on_the_registration_for_some_minutes_without_a_storm_of_writes() -> None:
    world = await World.begin()
    await world.say(1, revision=10)
    for number in range(5):
        await world.rejects(
            1, RejectReason.DUPLICATE_IDENTITY, of_session=40 + number, offset=20 + number, ip=f"10.0.0.{number + 9}"
        )
    condition = world.registry.condition(1, "DuplicateIdentity")
    assert condition["status"] == "True"
    assert "10.0.0.9" in condition["message"]
    assert "172.31.5.254" in condition["message"]
    assert world.registry.war(1)["status"]["session"] == session(1)
    assert world.attempt(1, Standing.DUPLICATE)["status"]["reason"] == "DuplicateIdentity"

    before = world.registry.war(1)["metadata"]["resourceVersion"]
    await world.rejects(1, RejectReason.DUPLICATE_IDENTITY, of_session=77, offset=50, ip="10.0.0.200")
    assert world.registry.war(1)["metadata"]["resourceVersion"] == before
    turn = await world.look(joiner(1).key.to_bytes())
    assert 0 < turn <= 300
    world.registry.now += timedelta(seconds=turn + 1)
    await world.look(joiner(1).key.to_bytes())
    assert "DuplicateIdentity" not in [one["type"] for one in world.registry.war(1)["status"]["conditions"]]


async def test_a_newcomer_that_has_waited_for_the_end_of_the_session_before_is_no_twin_any_more() -> None:
    world = await World.begin()
    await world.say(1, revision=10)
    await world.rejects(1, RejectReason.DUPLICATE_IDENTITY, of_session=40, offset=20, ip="10.0.0.9")
    assert world.registry.condition(1, "DuplicateIdentity")["status"] == "True"
    await world.say(1, revision=30, of_session=41)
    assert "DuplicateIdentity" not in [one["type"] for one in world.registry.war(1)["status"]["conditions"]]
    assert world.attempts == []
    await world.rejects(1, RejectReason.DUPLICATE_IDENTITY, of_session=42, offset=40, ip="10.0.0.10")
    assert world.registry.condition(1, "DuplicateIdentity")["status"] == "True"


async def test_who_finds_no_room_is_counted_and_the_proven_have_room_of_their_own() -> None:
    world = await World.begin()
    world.another(per_namespace=2)
    await world.policy(allow=[])
    with capture_logs() as logs:
        for offset, number in enumerate((1, 2, 3, 1, 4, 2, 5)):
            reason = RejectReason.NOT_VERIFIED
            await world.rejects(number, reason, of_session=number, offset=20 + offset, ip="10.0.0.9")
    assert len([log for log in logs if "no room" in log["event"]]) == 1
    await world.say(7)
    assert len(world.attempts) == 3
    assert world.attempt(7) is not None
    assert len(world.told) == 5, "all are told"


async def test_an_attempt_that_somebody_deleted_comes_back_with_the_next_one_only() -> None:
    world = await World.begin()
    await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=9, offset=20, ip="10.0.0.9")
    [name] = world.attempts
    uid = world.attempt(1, Standing.UNVERIFIED)["metadata"]["uid"]
    world.registry.delete(Kind.ATTEMPT, name)
    world.sink.state.gone(Kind.ATTEMPT, NAMESPACE, name, uid)
    await world.refusals.sweep(100)
    assert world.attempts == []
    await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=9, offset=21, ip="10.0.0.9")
    assert world.attempts == [name]


@pytest.mark.parametrize("error", [UnavailableError("away", 3.0), InvalidError("no")])
async def test_kubernetes_not_doing_it_loses_nothing(error: Exception) -> None:
    world = await World.begin()

    def fails(_what: str) -> None:
        raise error

    world.registry.cluster.before = fails
    await world.rejects(1, RejectReason.NOT_VERIFIED, of_session=9, offset=20, ip="10.0.0.9")
    assert world.attempts == []
    world.registry.cluster.before = lambda _what: None
    world.registry.now += timedelta(seconds=30)
    await world.refusals.sweep(100)
    assert len(world.attempts) == 1


async def test_what_the_processor_could_not_take_is_shown_and_told_as_far_as_it_can_be_read() -> None:
    world = await World.begin()
    who = joiner(1)
    unreadable = who.key._replace(identity="AWS:x/y".replace("/", " ") + "é" * 300)
    letter = rejected(1, RejectReason.INVALID_FIELD, of_session=9, offset=20, ip="10.0.0.9")
    await world.hears(letter)
    await world.hears(letter.model_copy(update={"key": unreadable.to_bytes(), "offset": 21}))
    claim = world.attempt(1, Standing.UNVERIFIED)
    assert claim["spec"]["identity"]["aws"]["account"] == "123456789012"
    assert (claim["status"]["reason"], claim["status"]["session"]) == ("InvalidEvent", session(9))
    assert claim["status"]["message"] == "InvalidField: CredentialExpired: it ended yesterday"
    assert [(key, told) for key, told, _ in world.told] == [(who.key, session(9)), (unreadable, session(9))]
    assert world.told[0][2] == Refused(
        session=session(9), reason=RefusalReason.INVALID_EVENT, message=claim["status"]["message"]
    )
    [other] = [name for name in world.attempts if name != claim["metadata"]["name"]]
    shown = world.registry.cluster.objects[Kind.ATTEMPT, NAMESPACE, other]
    assert shown["spec"]["claimed"].startswith("AWS:x y")
    found = Attempt.of(shown)
    assert found is not None
    assert place_told(NAMESPACE, found.spec) == (NAMESPACE, other)
    assert WorkloadKey(NAMESPACE, "ratings", other.removeprefix("ratings-")).fault() is None

    world.another()
    await world.refusals.sweep(100)
    assert len(world.attempts) == 2, "a sink after this one goes on from both"


def test_a_name_too_long_for_its_suffix_is_cut_and_stays_its_own() -> None:
    names = {place(WorkloadKey("ns", "g" * 200, f"i{'x' * 50}{end}"), Standing.UNVERIFIED)[1] for end in "ab"}
    assert len(names) == 2
    assert all(len(name) <= 253 and name.endswith("--unverified") for name in names)


def test_a_forged_link_is_no_attempt_to_join() -> None:
    letter = rejected(1, RejectReason.FORGED_LINK, of_session=1, offset=3, ip="10.0.0.9")
    assert by_processor(letter) is None


def test_of_a_refusal_long_ago_nobody_is_told() -> None:
    async def claim() -> None:
        world = await World.begin()
        old = Refusal(
            who=Claimant.of(joiner(1)),
            standing=Standing.UNVERIFIED,
            session=session(9),
            reason=RefusalReason.NOT_VERIFIED,
            message="",
            at=instant(1_000),
            partition=0,
            revision=1,
        )
        await world.refusals.hear([old])
        await world.refusals.sweep(100)
        assert (world.told, world.attempts) == ([], [])

    asyncio.run(claim())
