"""What the sink does in each case, seen in the world it makes."""

from typing import Any

import pytest

from schemas.registrations import Ended, EndReason, RefusalReason, Refused, Registered
from schemas.workloads import Presence
from services.sink.ports import Exactly, InvalidError, Kind
from tests.support.policies import policy
from tests.support.registry import GROUP, NAMESPACE, Registry, joiner, session, workload


@pytest.fixture
async def registry() -> Registry:
    """A namespace with a WorkloadGroup, and nobody in it."""
    made = Registry()
    await made.group()
    return made


@pytest.fixture
async def joined(registry: Registry) -> Registry:
    """One workload is registered."""
    registry.say(workload(joiner(1)))
    await registry.settle()
    return registry


KEY = joiner(1).key.to_bytes()
NAME = joiner(1).key.war_name


async def test_who_connects_is_registered_with_a_snapshot_of_the_group(registry: Registry) -> None:
    registry.say(workload(joiner(1)))
    await registry.settle()

    war, group = registry.war(1), registry.object(Kind.GROUP, GROUP)
    assert group is not None
    taken = war["spec"]["workloadGroup"]
    assert taken["spec"] == group["spec"]
    assert (taken["uid"], taken["generation"]) == (group["metadata"]["uid"], group["metadata"]["generation"])
    assert war["metadata"]["ownerReferences"][0]["uid"] == group["metadata"]["uid"]

    answer = registry.answer(KEY)
    assert isinstance(answer, Registered)
    assert answer.resource_version
    assert (answer.session, answer.name, answer.uid) == (session(1), NAME, war["metadata"]["uid"])
    assert answer.snapshot.spec == group["spec"]


async def test_the_entry_is_the_groups_template_with_what_the_agent_reported(joined: Registry) -> None:
    entry = joined.object(Kind.ENTRY, NAME)
    assert entry is not None
    assert entry["spec"] == {
        "address": "172.31.5.254",
        "labels": {"app": "ratings"},
        "locality": "us-east-2/us-east-2b",
        "ports": {"http": 80},
        "serviceAccount": "ratings",
    }
    assert entry["metadata"]["labels"] == {"app": "ratings", "app.kubernetes.io/managed-by": "muster"}
    assert entry["metadata"]["ownerReferences"][0]["uid"] == joined.war(1)["metadata"]["uid"]


async def test_conditions_are_kubernetes_own_convention(joined: Registry) -> None:
    assert joined.condition(1, "AgentConnected") == {
        "type": "AgentConnected",
        "status": "True",
        "reason": "AgentEstablishedConnection",
        "message": "",
        "lastTransitionTime": "2026-11-23T00:00:10.000Z",
        "observedGeneration": 1,
    }
    verified = joined.condition(1, "IdentityVerified")
    assert (verified["status"], verified["reason"]) == ("True", "CredentialVerified")
    assert verified["message"] == "by ec2-rsa2048, key us-east-2"
    assert joined.condition(1, "WorkloadGroupCurrent")["status"] == "True"
    assert joined.condition(1, "AllowedByPolicy")["status"] == "True"


@pytest.mark.parametrize(
    ("presence", "status", "reason"),
    [
        (Presence.ABSENT, "False", "AgentMissedWindows"),
        (Presence.UNKNOWN, "Unknown", "RollCallSuspended"),
        (Presence.CONNECTED, "True", "AgentEstablishedConnection"),
    ],
)
async def test_a_presence_is_a_condition(joined: Registry, presence: Presence, status: str, reason: str) -> None:
    joined.say(workload(joiner(1), presence, revision=20))
    await joined.settle()
    condition = joined.condition(1, "AgentConnected")
    assert (condition["status"], condition["reason"]) == (status, reason)
    assert condition["lastTransitionTime"] == "2026-11-23T00:00:20.000Z"


async def test_without_the_group_a_session_is_refused_and_joins_when_it_appears() -> None:
    registry = Registry()
    registry.say(workload(joiner(1)))
    await registry.settle()
    refused = registry.answer(KEY)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.GROUP_NOT_FOUND

    await registry.group()
    await registry.settle()
    assert isinstance(registry.answer(KEY), Registered)


async def test_without_the_namespace_a_session_is_refused_and_joins_when_it_appears(registry: Registry) -> None:
    who = joiner(1).model_copy(update={"namespace": "shop"})
    registry.say(workload(who))
    await registry.settle()
    refused = registry.answer(who.key)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.NAMESPACE_NOT_FOUND

    registry.cluster.add_namespace("shop")
    registry.cluster.put(Kind.POLICY, policy("shop"))
    await registry.cluster.create(Kind.GROUP, {"metadata": {"namespace": "shop", "name": GROUP}, "spec": {}})
    await registry.settle()
    assert isinstance(registry.answer(who.key), Registered)


async def test_an_edited_group_changes_no_snapshot_and_is_said_once(joined: Registry) -> None:
    before = joined.war(1)["spec"]
    await joined.group(account="other")
    await joined.settle()
    assert joined.war(1)["spec"] == before
    current = joined.condition(1, "WorkloadGroupCurrent")
    assert (current["status"], current["reason"]) == ("False", "WorkloadGroupChanged")

    writes = joined.cluster.writes
    await joined.group(account="yet another")
    await joined.settle()
    assert joined.cluster.writes == writes + 1, "the edit itself"


async def test_who_deletes_a_registration_ends_its_session_and_only_a_new_one_joins(joined: Registry) -> None:
    uid = joined.war(1)["metadata"]["uid"]
    joined.delete(Kind.WAR, NAME)
    await joined.group(account="other")
    await joined.settle()
    ended = joined.answer(KEY)
    assert isinstance(ended, Ended)
    assert (ended.session, ended.uid, ended.reason) == (session(1), uid, EndReason.DELETED)
    assert joined.object(Kind.WAR, NAME) is None

    joined.say(workload(joiner(1), of_session=2, revision=20))
    await joined.settle()
    assert joined.war(1)["metadata"]["uid"] != uid
    assert joined.war(1)["spec"]["workloadGroup"]["spec"]["template"]["serviceAccount"] == "other"


async def test_a_deletion_is_noticed_of_an_absent_workload_too(joined: Registry) -> None:
    joined.delete(Kind.WAR, NAME)
    joined.say(workload(joiner(1), Presence.ABSENT, revision=20))
    await joined.settle()
    assert isinstance(joined.answer(KEY), Ended)


async def test_a_new_session_takes_over_the_registration_with_its_snapshot(joined: Registry) -> None:
    before = joined.war(1)
    await joined.group(account="other")
    joined.say(workload(joiner(1, version="v2.0.0"), of_session=2, revision=20))
    await joined.settle()
    war = joined.war(1)
    assert war["metadata"]["uid"] == before["metadata"]["uid"]
    assert war["spec"]["workloadGroup"] == before["spec"]["workloadGroup"]
    assert war["spec"]["registration"]["agent"]["version"] == "v2.0.0"
    assert war["status"]["session"] == session(2)
    answer = joined.answer(KEY)
    assert isinstance(answer, Registered)
    assert answer.session == session(2)


async def test_who_is_past_the_grace_is_removed_with_the_entry_and_told_so(joined: Registry) -> None:
    joined.say(workload(joiner(1), Presence.REMOVED, revision=20))
    await joined.settle()
    assert joined.object(Kind.WAR, NAME) is None
    assert joined.object(Kind.ENTRY, NAME) is None
    ended = joined.answer(KEY)
    assert isinstance(ended, Ended)
    assert ended.reason is EndReason.GRACE_EXPIRED


async def test_a_refused_session_that_is_removed_is_told_so(registry: Registry) -> None:
    """Its agent may live: its heartbeats change nothing any more, and only this makes it begin anew."""
    who = joiner(1, group="nobody")
    registry.say(workload(who))
    await registry.settle()
    registry.say(workload(who, Presence.REMOVED, revision=20))
    await registry.settle()
    assert isinstance(registry.answer(who.key), Ended)


async def test_an_absent_workload_that_never_registered_is_not_registered_now(registry: Registry) -> None:
    registry.say(workload(joiner(1), Presence.ABSENT))
    await registry.settle()
    assert registry.object(Kind.WAR, NAME) is None
    assert registry.answers == {}


async def test_a_forgotten_workloads_answer_is_forgotten(joined: Registry) -> None:
    joined.say(workload(joiner(1), Presence.REMOVED, revision=20))
    await joined.settle()
    joined.workloads[KEY] = None
    await joined.settle()
    assert joined.answer(KEY) is None


async def test_a_registration_the_log_does_not_know_is_left_alone(joined: Registry) -> None:
    joined.workloads.clear()
    before = joined.writes
    await joined.settle()
    assert joined.writes == before
    sink = await joined.start()
    assert sink.state.orphans() == [(NAMESPACE, NAME)]


async def test_a_name_taken_by_another_workload_is_refused_and_never_overwritten(registry: Registry) -> None:
    """Group and identity are told apart by nothing in the object's name."""
    await registry.group("ratings-aws")
    first = joiner(1)
    registry.say(workload(first))
    await registry.settle()
    war = registry.war(1)
    told = war["spec"]["workloadGroup"]
    registry.delete(Kind.WAR, NAME)
    foreign = {**war, "spec": {**war["spec"], "workloadGroup": {**told, "name": "ratings-aws"}}}
    await registry.cluster.create(Kind.WAR, foreign)
    registry.say(workload(first, of_session=2, revision=20))
    await registry.settle()
    refused = registry.answer(KEY)
    assert isinstance(refused, Refused)
    assert "taken" in refused.message
    assert registry.war(1)["spec"] == foreign["spec"]

    registry.say(workload(first, Presence.REMOVED, of_session=2, revision=30))
    await registry.settle()
    assert registry.war(1)["spec"] == foreign["spec"]


async def test_an_entry_that_muster_did_not_make_is_not_touched(registry: Registry) -> None:
    mine: dict[str, Any] = {"metadata": {"namespace": NAMESPACE, "name": NAME}, "spec": {"address": "10.0.0.1"}}
    await registry.cluster.create(Kind.ENTRY, mine)
    registry.say(workload(joiner(1)))
    await registry.settle()
    entry = registry.object(Kind.ENTRY, NAME)
    assert entry is not None
    assert entry["spec"] == mine["spec"]
    assert isinstance(registry.answer(KEY), Refused)


async def test_an_entry_of_an_earlier_registration_is_taken_over(joined: Registry) -> None:
    """Kubernetes collects it some time after its owner: it may still be there when the next one comes."""
    entry = joined.object(Kind.ENTRY, NAME)
    assert entry is not None
    joined.delete(Kind.WAR, NAME)
    await joined.cluster.create(Kind.ENTRY, {**entry, "metadata": {**entry["metadata"], "ownerReferences": []}})
    joined.say(workload(joiner(1), of_session=2, revision=20))
    await joined.settle()
    taken = joined.object(Kind.ENTRY, NAME)
    assert taken is not None
    assert taken["metadata"]["ownerReferences"][0]["uid"] == joined.war(1)["metadata"]["uid"]


async def test_without_an_address_of_the_asked_type_a_session_is_refused(registry: Registry) -> None:
    registry.say(workload(joiner(1, ip=None)))
    await registry.settle()
    refused = registry.answer(KEY)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.INVALID_OBJECT
    assert "host.addresses" in refused.message


async def test_what_the_api_refuses_is_told_in_its_own_words(registry: Registry) -> None:
    words = "spec.identity.aws.account: Invalid value"

    def refuse(what: str) -> None:
        if what == "create":
            raise InvalidError(words)

    registry.say(workload(joiner(1)))
    registry.cluster.before = refuse
    with pytest.raises(InvalidError):
        await registry.settle()
    refused = registry.answer(KEY)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.message) == (RefusalReason.INVALID_OBJECT, words)


async def test_a_workload_forgotten_while_the_api_refuses_it_is_told_nothing(registry: Registry) -> None:
    """Nobody is there to be told, and it must not end the sink."""
    registry.say(workload(joiner(1)))
    sink = await registry.start()

    def refuse(_what: str) -> None:
        sink.state.take_workload(KEY, None)
        raise InvalidError("no")

    registry.cluster.before = refuse
    with pytest.raises(InvalidError):
        await sink.reconcile(KEY)
    assert registry.answers == {}


async def test_a_registration_that_is_being_deleted_is_waited_for(joined: Registry) -> None:
    """A finalizer of somebody's holds it: it is neither written nor answered for."""
    war = joined.war(1)
    held = {**war, "metadata": {**war["metadata"], "finalizers": ["example.com/theirs"]}}
    await joined.cluster.update(Kind.WAR, held)
    joined.delete(Kind.WAR, NAME)
    before = joined.writes
    joined.say(workload(joiner(1), Presence.ABSENT, revision=20))
    await joined.settle()
    assert joined.writes == before


async def test_other_peoples_labels_and_annotations_stay(joined: Registry) -> None:
    for kind in (Kind.WAR, Kind.ENTRY):
        known = joined.object(kind, NAME)
        assert known is not None
        about = {**known["metadata"], "annotations": {"team": "ratings"}}
        await joined.cluster.update(kind, {**known, "metadata": about})
    joined.say(workload(joiner(1, version="v2.0.0", ip="172.31.5.1"), revision=20))
    await joined.settle()
    for kind in (Kind.WAR, Kind.ENTRY):
        known = joined.object(kind, NAME)
        assert known is not None
        assert known["metadata"]["annotations"]["team"] == "ratings"


async def test_what_somebody_changed_in_the_registration_is_put_back(joined: Registry) -> None:
    war = joined.war(1)
    spec = {**war["spec"], "registration": {"agent": {"version": "v0"}}}
    await joined.cluster.update(Kind.WAR, {**war, "spec": spec})
    await joined.settle()
    assert joined.war(1)["spec"] == war["spec"]
    assert joined.condition(1, "AgentConnected")["observedGeneration"] == 3


async def test_a_removal_deletes_only_what_was_observed(joined: Registry) -> None:
    """Whoever wrote it meanwhile knows more: the next plan sees what they wrote."""
    sink = await joined.start()
    war = joined.war(1)
    await joined.cluster.update(Kind.WAR, {**war, "metadata": {**war["metadata"], "labels": {"new": "er"}}})
    removed = workload(joiner(1), Presence.REMOVED, revision=20)
    sink.state.take_workload(KEY, removed.to_json())
    with pytest.raises(Exception, match="version"):
        await sink.reconcile(KEY)
    assert joined.object(Kind.WAR, NAME) is not None
    now = joined.war(1)["metadata"]
    await joined.cluster.delete(Kind.WAR, Exactly(NAMESPACE, NAME, now["uid"], now["resourceVersion"]))
