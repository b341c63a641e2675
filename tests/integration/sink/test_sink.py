"""What the sink owes its users, on a real Kafka and a real Kubernetes API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from kubernetes.aio import client

from schemas import topics
from schemas.registrations import Ended, EndReason, RefusalReason, Refused, Registered
from schemas.rejected import RejectReason
from schemas.workloads import Presence
from services.local.child import Child
from services.local.kube import Kube
from tests.integration.sink.mesh import PROGRAM, WARS, Mesh
from tests.support.eventually import eventually
from tests.support.registry import session

DIES_BEFORE_ANSWERING = """
import os, signal
from services.sink.records import Records
publish = Records.publish
async def die(self, key, answer):
    # What other tests left in the topics is answered as ever.
    if key.startswith(b"{namespace}/"):
        os.kill(os.getpid(), signal.SIGKILL)
    await publish(self, key, answer)
Records.publish = die
{program}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def mesh(kafka: str, kube: Path, tmp_path: Path) -> AsyncIterator[Mesh]:
    async with Mesh(kafka, kube, tmp_path) as made:
        yield made


async def test_who_connects_gets_a_registration_an_entry_and_an_answer(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    answer = await mesh.answered(who, Registered, session(1))

    war, entry = await mesh.war(who), await mesh.entry(who)
    assert war is not None
    assert entry is not None
    assert answer.uid == war["metadata"]["uid"]
    assert answer.snapshot.model_dump(mode="json") == war["spec"]["workloadGroup"]
    assert entry["spec"]["address"] == "172.31.5.254"
    assert entry["metadata"]["ownerReferences"][0]["uid"] == war["metadata"]["uid"]
    assert (await mesh.stop()) == 0


async def test_kubectl_prints_the_columns_and_the_description_that_are_promised(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.conditioned(who, "AgentConnected", "True")

    header, *rows = (await mesh.kubectl("get", "war", "-A")).splitlines()
    assert header.split() == ["NAMESPACE", "NAME", "AGENT", "CONNECTED", "AGE"]
    row = next(row for row in rows if row.startswith(mesh.namespace))
    assert row.split()[:3] == [mesh.namespace, who.key.war_name, "True"]

    told = await mesh.kubectl("describe", "war", "-n", mesh.namespace, who.key.war_name)
    for line in ("Account:  123456789012", "Instance Id:  i-00000000000000001", "Reason:                AgentEst"):
        assert line in told, told
    assert "by ec2-rsa2048, key us-east-2" in told


async def test_absence_is_false_with_its_reason_and_a_return_true_again(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.conditioned(who, "AgentConnected", "True")
    await mesh.say(who, Presence.ABSENT)
    assert (await mesh.conditioned(who, "AgentConnected", "False"))["reason"] == "AgentMissedWindows"
    await mesh.say(who)
    await mesh.conditioned(who, "AgentConnected", "True")


@pytest.mark.parametrize("down", [False, True], ids=["while the sink runs", "while the sink is down"])
async def test_a_deletion_ends_the_session_and_the_next_gets_the_group_as_it_is(mesh: Mesh, *, down: bool) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    first = await mesh.answered(who, Registered, session(1))
    await mesh.edit_group("newer")
    await mesh.conditioned(who, "WorkloadGroupCurrent", "False")
    if down:
        await mesh.stop()
    await mesh.delete_war(who)
    if down:
        await mesh.start()

    ended = await mesh.answered(who, Ended, session(1))
    assert (ended.uid, ended.reason) == (first.uid, EndReason.DELETED)
    assert await mesh.war(who) is None

    await mesh.say(who, of_session=2)
    second = await mesh.answered(who, Registered, session(2))
    assert second.uid != first.uid
    assert second.snapshot.spec["template"]["serviceAccount"] == "newer"


async def test_the_endpoint_of_an_absent_agent_is_unhealthy_at_once_and_healthy_when_it_returns(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))
    for _ in range(2):
        await mesh.healthy(who, healthy=True)
        await mesh.say(who, Presence.ABSENT)
        await mesh.healthy(who, healthy=False)
        await mesh.say(who)
    [condition] = (await mesh.healthy(who, healthy=True))["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Healthy", "True", "AgentConnected")


async def test_an_edit_of_the_group_leaves_snapshots_alone(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.conditioned(who, "WorkloadGroupCurrent", "True")
    await mesh.edit_group("newer")
    assert (await mesh.conditioned(who, "WorkloadGroupCurrent", "False"))["reason"] == "WorkloadGroupChanged"
    war, entry = await mesh.war(who), await mesh.entry(who)
    assert war is not None
    assert entry is not None
    assert war["spec"]["workloadGroup"]["spec"]["template"]["serviceAccount"] == "ratings"
    assert entry["spec"]["serviceAccount"] == "ratings"


async def test_a_missing_group_and_a_missing_namespace_refuse_until_they_appear(mesh: Mesh) -> None:
    await mesh.start()
    stray = mesh.who(1).model_copy(update={"group": "reviews"})
    lost = mesh.who(2).model_copy(update={"namespace": f"{mesh.namespace}-b"})
    await mesh.say(stray)
    await mesh.say(lost)
    assert (await mesh.answered(stray, Refused, session(1))).reason is RefusalReason.GROUP_NOT_FOUND
    assert (await mesh.answered(lost, Refused, session(1))).reason is RefusalReason.NAMESPACE_NOT_FOUND

    await mesh.create_group("reviews")
    await mesh.create_namespace(lost.namespace)
    await mesh.create_group(namespace=lost.namespace)
    await mesh.allow(lost.namespace)
    await mesh.answered(stray, Registered, session(1))
    await mesh.answered(lost, Registered, session(1))


async def test_what_the_api_refuses_is_refused_in_its_words_and_holds_nobody_up(mesh: Mesh) -> None:
    await mesh.start()
    bad = mesh.who(1)
    label = bad.registration.workload.model_copy(update={"labels": {f"label-{n}": "v" for n in range(257)}})
    bad = bad.model_copy(update={"registration": bad.registration.model_copy(update={"workload": label})})
    await mesh.say(bad)
    await mesh.say(mesh.who(2))
    await mesh.answered(mesh.who(2), Registered, session(1))
    refused = await mesh.answered(bad, Refused, session(1))
    assert refused.reason is RefusalReason.INVALID_OBJECT
    assert "labels" in refused.message


async def test_who_is_removed_is_gone_with_the_entry_and_told_so(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))
    await mesh.say(who, Presence.REMOVED)
    assert (await mesh.answered(who, Ended, session(1))).reason is EndReason.GRACE_EXPIRED
    await mesh.gone(who)


async def test_a_steady_state_writes_nothing(mesh: Mesh) -> None:
    """Not when everything is looked at again each second, and not when a new sink starts."""
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))

    async def versions() -> list[str]:
        return [found["metadata"]["resourceVersion"] for found in (await mesh.war(who), await mesh.entry(who)) if found]

    async def looks() -> float:
        page = (await mesh.page("metrics"))[1]
        return next(float(row.split()[1]) for row in page.splitlines() if row.startswith("muster_sink_reconciles_t"))

    async def answers() -> list[bytes | None]:
        return [value for key, value in await mesh.records(topics.REGISTRATIONS) if key == who.key.to_bytes()]

    before, looked = await versions(), await looks()

    async def looked_again() -> bool:
        return await looks() > looked + 2

    await eventually(looked_again, "the sink to look again")
    assert await versions() == before
    await mesh.stop()
    await mesh.start()
    looked = 0
    await eventually(looked_again, "the new sink to look")
    assert await versions() == before
    assert len(await answers()) == 1


async def test_killed_between_the_registration_and_the_answer_the_next_sink_answers_for_it(mesh: Mesh) -> None:
    dying: Child = await mesh.start(DIES_BEFORE_ANSWERING.format(namespace=mesh.namespace, program=PROGRAM))
    who = mesh.who()
    await mesh.say(who)
    assert await dying.ended(30) == 128 + 9
    war = await mesh.war(who)
    assert war is not None
    assert await mesh.answer(who) is None

    await mesh.start()
    answer = await mesh.answered(who, Registered, session(1))
    assert answer.uid == war["metadata"]["uid"]


async def test_a_record_that_is_none_is_kept_in_rejected_and_the_next_is_taken(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.write(topics.WORKLOADS, who.key.to_bytes(), b"\xff\x00 no JSON")
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))
    found = [one for one in await mesh.rejected() if one.key == who.key.to_bytes()]
    assert [(one.by, one.reason, one.value) for one in found] == [
        ("sink", RejectReason.UNDECODABLE, b"\xff\x00 no JSON")
    ]


async def test_without_a_kubeconfig_it_says_so_and_ends_with_2(mesh: Mesh, tmp_path: Path) -> None:
    mesh.account = tmp_path / "nowhere"
    sink = await mesh.start(ready=False)
    assert await sink.ended(30) == 2
    assert "KUBECONFIG" in sink.tail()


async def test_kubernetes_away_at_the_start_and_later_costs_time_and_nothing_else(
    kafka: str, kube_process: Kube, tmp_path: Path
) -> None:
    async with Mesh(kafka, kube_process.kubeconfig, tmp_path) as mesh:

        async def unready() -> bool:
            status, why = await mesh.page("readyz")
            return status == 503 and "not ok kubernetes" in why

        await kube_process.stop()
        await mesh.start(ready=False)
        await mesh.say(mesh.who(1))
        await eventually(unready, "the sink to say that Kubernetes is away")
        await kube_process.start()
        await mesh.answered(mesh.who(1), Registered, session(1))
        await mesh.ready()

        await kube_process.kill()
        await mesh.say(mesh.who(1), Presence.ABSENT)
        await mesh.say(mesh.who(2))
        await eventually(unready, "the sink to say that Kubernetes is away again")
        await kube_process.start()
        await mesh.answered(mesh.who(2), Registered, session(1))
        await mesh.conditioned(mesh.who(1), "AgentConnected", "False")
        await mesh.ready()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"identity": {"aws": {"account": "12"}}}, "account"),
        ({"identity": {"aws": {"ecs": {"cluster": "c", "taskId": "t"}}}}, "exactly one of ec2 and ecs"),
        ({"identity": {"jwt": {"issuer": "i", "subject": "s"}}}, "exactly one of aws, jwt, gcp and azure"),
        ({"identity": {"aws": {"zone": "us-east-2c"}}}, "an identity never changes"),
        ({"workloadGroup": {"generation": 99}}, "never changes"),
        ({"workloadGroup": {"spec": {"template": {"serviceAccount": "root"}}}}, "never changes"),
        ({"registration": {"settings": {"connectedOver": "PIGEON"}}}, "connectedOver"),
    ],
)
async def test_the_api_refuses_nonsense(mesh: Mesh, change: dict[str, object], words: str) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.answered(who, Registered, session(1))
    with pytest.raises(client.ApiException) as refused:
        await mesh.objects.patch_namespaced_custom_object(
            *WARS,
            mesh.namespace,
            "workloadautoregistrations",
            who.key.war_name,
            {"spec": change},
            _content_type="application/merge-patch+json",
        )
    assert refused.value.status == 422
    assert words in refused.value.body
