"""What the sink relies on of Kubernetes: one suite for the fake, the simulation's and the real API."""

import asyncio
import copy
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from kubernetes.aio import client

from schemas.attempts import Standing
from schemas.registrations import RefusalReason
from services.sink import kube as adapter
from services.sink.core.attempt import Attempt, refusal_content
from services.sink.core.claim import Claimant
from services.sink.core.objects import Manifest
from services.sink.core.refusal import Refusal
from services.sink.ports import (
    AlreadyExistsError,
    Cluster,
    ConflictError,
    Exactly,
    GoneError,
    Kind,
    NotFoundError,
    Seen,
    UnavailableError,
)
from tests.contract.relay import Relay
from tests.sim.sinks import Kubernetes as Simulated
from tests.sim.sinks import Line
from tests.support.cluster import MemoryCluster
from tests.support.eventually import eventually
from tests.support.registry import START, joiner, session

NAMESPACE = "contract"
_names = (f"ratings-{number}" for number in itertools.count())


@pytest.fixture
def fake() -> Cluster:
    return MemoryCluster(NAMESPACE)


@pytest.fixture
def simulated() -> Cluster:
    return Line(Simulated(NAMESPACE), Random(1))


@pytest.fixture
async def real(kube: Path) -> AsyncIterator[Cluster]:
    api = await adapter.connect(kube, None)
    try:
        await client.CoreV1Api(api).create_namespace({"metadata": {"name": NAMESPACE}})
    except client.ApiException as error:
        if error.status != 409:
            raise
    yield adapter.Kubernetes(api)
    await api.close()


@pytest.fixture(params=["fake", "simulated", "real"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Every claim is made of all."""
    found: Cluster = request.getfixturevalue(request.param)
    return found


class _Second(Random):
    """Lets every second risk come true: not that nothing is done, but that nobody hears of it."""

    def __init__(self) -> None:
        super().__init__()
        self._lucky = False

    def random(self) -> float:
        self._lucky = not self._lucky
        return float(self._lucky)


@asynccontextmanager
async def deaf(cluster: Cluster) -> AsyncIterator[Cluster]:
    """Yield the same cluster over a connection on which the answer to the first write gets lost."""
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(cluster, Line):
            line = Line(cluster.cluster, _Second())
            line.flaky = 0.5
            yield line
        elif isinstance(cluster, MemoryCluster):
            patch.setattr(cluster, "after", _lost)
            yield cluster
        else:
            assert isinstance(cluster, adapter.Kubernetes)
            settings = copy.copy(cluster._objects.api_client.configuration)
            there = urlsplit(settings.host)
            async with Relay(there.netloc) as relay:
                settings.host = f"{there.scheme}://{relay.address[0]}:{relay.address[1]}"
                async with client.ApiClient(configuration=settings) as api:
                    far = adapter.Kubernetes(api)
                    await far.list(Kind.NAMESPACE)  # opens the connection that the next call finds
                    patch.setattr(adapter, "CALL_S", 2.0)
                    relay.silent = True
                    yield far


def _lost(_what: str) -> None:
    raise UnavailableError("the connection was lost; it was done")


def group() -> Manifest:
    """Return a new WorkloadGroup, of a name that no other has."""
    metadata = {"namespace": NAMESPACE, "name": next(_names)}
    spec = {"template": {"serviceAccount": "ratings"}}
    return {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadGroup", "metadata": metadata, "spec": spec}


def war(owner: Manifest) -> Manifest:
    """Return a new registration in a group that is there."""
    about = owner["metadata"]
    reference = {key: owner[key] for key in ("apiVersion", "kind")} | {key: about[key] for key in ("name", "uid")}
    instance = f"i-{int(about['uid'].replace('-', ''), 16) % 16**17:017x}"
    where = {"partition": "aws", "account": "123456789012", "region": "us-east-2", "zone": "us-east-2b"}
    taken = {
        "name": about["name"],
        "uid": about["uid"],
        "generation": about["generation"],
        "resourceVersion": about["resourceVersion"],
        "spec": owner["spec"],
    }
    return {
        "apiVersion": "runtime.onboarding.tetrate.io/v1alpha1",
        "kind": "WorkloadAutoRegistration",
        "metadata": {
            "namespace": NAMESPACE,
            "name": f"{about['name']}-aws-aws-123456789012-us-east-2b-ec2-{instance}",
            "ownerReferences": [reference],
        },
        "spec": {
            "identity": {"aws": {**where, "ec2": {"instanceId": instance}}},
            "registration": {"agent": {"version": "v1.4.0"}, "settings": {"connectedOver": "VPC"}},
            "workloadGroup": taken,
        },
    }


def attempt() -> Manifest:
    """Return a new OnboardingAttempt."""
    refusal = Refusal(
        who=Claimant.of(joiner(1)),
        standing=Standing.UNVERIFIED,
        session=session(1),
        reason=RefusalReason.NOT_VERIFIED,
        message="CredentialExpired: it ended yesterday",
        at=START,
        partition=0,
        revision=7,
    )
    return refusal_content(refusal).manifest(NAMESPACE, next(_names))


def exactly(found: Manifest) -> Exactly:
    """Return what names exactly this object in this version."""
    about = found["metadata"]
    return Exactly(about["namespace"], about["name"], about["uid"], about["resourceVersion"])


def with_account(found: Manifest, account: str) -> Manifest:
    """Return a group with another service account."""
    return {**found, "spec": {"template": {"serviceAccount": account}}}


async def listed(cluster: Cluster, kind: Kind, name: str) -> Manifest | None:
    """Return an object as a list has it."""
    items = (await cluster.list(kind)).items
    return next((item for item in items if item["metadata"]["name"] == name), None)


async def test_what_is_created_is_listed_with_uid_generation_and_kind(cluster: Cluster) -> None:
    created = await cluster.create(Kind.GROUP, group())
    found = await listed(cluster, Kind.GROUP, created["metadata"]["name"])
    assert found is not None
    assert found["metadata"]["uid"] == created["metadata"]["uid"]
    assert (found["kind"], found["apiVersion"]) == ("WorkloadGroup", "networking.istio.io/v1")
    assert found["metadata"]["generation"] == 1


async def test_a_name_is_taken_once(cluster: Cluster) -> None:
    wanted = group()
    await cluster.create(Kind.GROUP, wanted)
    with pytest.raises(AlreadyExistsError):
        await cluster.create(Kind.GROUP, wanted)


async def test_namespaces_are_listed_by_name(cluster: Cluster) -> None:
    assert NAMESPACE in [item["metadata"]["name"] for item in (await cluster.list(Kind.NAMESPACE)).items]


async def test_nothing_is_created_in_a_namespace_that_is_not_there(cluster: Cluster) -> None:
    wanted = group()
    wanted["metadata"]["namespace"] = "nowhere"
    with pytest.raises(NotFoundError):
        await cluster.create(Kind.GROUP, wanted)


async def test_an_update_of_an_older_version_is_a_conflict(cluster: Cluster) -> None:
    old = await cluster.create(Kind.GROUP, group())
    await cluster.update(Kind.GROUP, with_account(old, "new"))
    with pytest.raises(ConflictError):
        await cluster.update(Kind.GROUP, with_account(old, "newer"))


async def test_an_update_of_what_is_gone_says_so(cluster: Cluster) -> None:
    made = await cluster.create(Kind.GROUP, group())
    await cluster.delete(Kind.GROUP, exactly(made))
    with pytest.raises(NotFoundError):
        await cluster.update(Kind.GROUP, with_account(made, "new"))


async def test_the_status_of_an_entry_is_written_by_itself_and_kept(cluster: Cluster) -> None:
    owner = await cluster.create(Kind.GROUP, group())
    entry = {**owner, "kind": "WorkloadEntry", "spec": {"address": "1.1.1.1"}, "status": {"conditions": []}}
    entry["metadata"] = {"namespace": NAMESPACE, "name": owner["metadata"]["name"]}
    made = await cluster.create(Kind.ENTRY, entry)
    assert "status" not in made
    unhealthy = {"conditions": [{"type": "Healthy", "status": "False", "reason": "AgentNotConnected"}]}
    told = await cluster.update(Kind.ENTRY, {**made, "status": unhealthy, "spec": {"address": "9.9.9.9"}}, status=True)
    assert (told["status"], told["spec"]) == (unhealthy, made["spec"])
    moved = await cluster.update(Kind.ENTRY, {**told, "spec": {"address": "9.9.9.9"}, "status": {}})
    assert (moved["status"], moved["spec"]["address"]) == (unhealthy, "9.9.9.9")


async def test_a_status_changes_neither_spec_nor_generation_and_a_spec_no_status(cluster: Cluster) -> None:
    made = await cluster.create(Kind.WAR, {**war(await cluster.create(Kind.GROUP, group())), "status": {"revision": 1}})
    assert "status" not in made
    status = {"revision": 7, "partition": 0}
    told = await cluster.update(Kind.WAR, {**made, "status": status, "spec": {"registration": {}}}, status=True)
    assert told["status"] == status
    assert told["spec"] == made["spec"]
    assert told["metadata"]["generation"] == made["metadata"]["generation"]

    spec = {**made["spec"], "registration": {**made["spec"]["registration"], "agent": {"version": "v1.5.0"}}}
    newer = await cluster.update(Kind.WAR, {**told, "spec": spec, "status": {"revision": 8}})
    assert newer["status"] == status
    assert newer["spec"] == spec
    assert newer["metadata"]["generation"] == told["metadata"]["generation"] + 1


async def test_an_update_that_changes_nothing_writes_nothing(cluster: Cluster) -> None:
    made = await cluster.create(Kind.GROUP, group())
    same = await cluster.update(Kind.GROUP, made)
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@pytest.mark.parametrize("precondition", ["uid", "resourceVersion"])
async def test_only_exactly_what_was_seen_is_deleted(cluster: Cluster, precondition: str) -> None:
    made = await cluster.create(Kind.GROUP, group())
    other = await cluster.create(Kind.GROUP, group())
    stale = {**made, "metadata": {**made["metadata"], precondition: other["metadata"][precondition]}}
    with pytest.raises(ConflictError):
        await cluster.delete(Kind.GROUP, exactly(stale))
    await cluster.delete(Kind.GROUP, exactly(made))
    assert await listed(cluster, Kind.GROUP, made["metadata"]["name"]) is None


async def test_versions_of_a_kind_are_numbers_that_rise(cluster: Cluster) -> None:
    first = await cluster.create(Kind.GROUP, group())
    second = await cluster.create(Kind.GROUP, group())
    assert int(first["metadata"]["resourceVersion"]) < int(second["metadata"]["resourceVersion"])
    assert int((await cluster.list(Kind.GROUP)).resource_version) >= int(second["metadata"]["resourceVersion"])


async def test_a_watch_tells_what_happened_after_its_version_and_nothing_before(cluster: Cluster) -> None:
    await cluster.create(Kind.GROUP, group())
    start = (await cluster.list(Kind.GROUP)).resource_version
    made = await cluster.create(Kind.GROUP, group())
    newer = await cluster.update(Kind.GROUP, with_account(made, "new"))
    await cluster.delete(Kind.GROUP, exactly(newer))

    seen = await some(cluster.watch(Kind.GROUP, start), 3)

    assert [one.type for one in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert {one.object["metadata"]["name"] for one in seen} == {made["metadata"]["name"]}
    assert int(seen[2].object["metadata"]["resourceVersion"]) > int(newer["metadata"]["resourceVersion"])


async def test_a_watch_tells_what_happens_while_it_is_open(cluster: Cluster) -> None:
    start = (await cluster.list(Kind.WAR)).resource_version
    owner = await cluster.create(Kind.GROUP, group())
    seeing = asyncio.create_task(some(cluster.watch(Kind.WAR, start), 1))
    await asyncio.sleep(0)
    made = await cluster.create(Kind.WAR, war(owner))
    assert (await seeing)[0].object["metadata"]["name"] == made["metadata"]["name"]


async def test_what_an_owner_leaves_is_collected(cluster: Cluster) -> None:
    owner = await cluster.create(Kind.GROUP, group())
    made = await cluster.create(Kind.WAR, war(owner))
    await cluster.delete(Kind.GROUP, exactly(owner))

    async def gone() -> bool:
        return await listed(cluster, Kind.WAR, made["metadata"]["name"]) is None

    await eventually(gone, "the registration to be collected with its group")


async def test_a_write_that_was_not_answered_may_be_done_all_the_same(cluster: Cluster) -> None:
    wanted = group()
    async with deaf(cluster) as far:
        with pytest.raises(UnavailableError):
            await far.create(Kind.GROUP, wanted)

    async def written() -> bool:
        return await listed(cluster, Kind.GROUP, wanted["metadata"]["name"]) is not None

    await eventually(written, "the object whose creation nobody answered")


async def test_a_deletion_that_was_not_answered_may_be_done_all_the_same(cluster: Cluster) -> None:
    made = await cluster.create(Kind.GROUP, group())
    async with deaf(cluster) as far:
        with pytest.raises(UnavailableError):
            await far.delete(Kind.GROUP, exactly(made))

    async def gone() -> bool:
        return await listed(cluster, Kind.GROUP, made["metadata"]["name"]) is None

    await eventually(gone, "the deletion that nobody answered")


async def test_what_has_a_finalizer_is_marked_and_goes_when_that_is_taken_away(cluster: Cluster) -> None:
    wanted = group()
    wanted["metadata"]["finalizers"] = ["example.com/hold"]
    made = await cluster.create(Kind.GROUP, wanted)
    await cluster.delete(Kind.GROUP, exactly(made))
    held = await listed(cluster, Kind.GROUP, made["metadata"]["name"])
    assert held is not None
    assert "deletionTimestamp" in held["metadata"]
    assert held["metadata"]["generation"] == made["metadata"]["generation"] + 1
    with pytest.raises(AlreadyExistsError):
        await cluster.create(Kind.GROUP, wanted)
    start = (await cluster.list(Kind.GROUP)).resource_version
    await cluster.update(Kind.GROUP, {**held, "metadata": {**held["metadata"], "finalizers": []}})
    assert await listed(cluster, Kind.GROUP, made["metadata"]["name"]) is None
    assert [one.type for one in await some(cluster.watch(Kind.GROUP, start), 1)] == ["DELETED"]


@pytest.mark.parametrize("quiet", [True, False])
async def test_a_bookmark_moves_the_version_and_the_watch_goes_on_from_it(cluster: Cluster, *, quiet: bool) -> None:
    """A watch without news of its kind comes as far as one with some.

    The real API sends a bookmark about 2 s before it ends a watch (nextBookmarkTime in kube-apiserver's
    cache_watcher.go), and only of what its cache of this kind knows. Of changes to other kinds that cache hears when
    etcd tells it: every 5 s as kubeadm and our local API set it up, and for each list.
    """
    brief = briefly(cluster)
    start = (await brief.list(Kind.WAR)).resource_version
    made = [] if quiet else [await brief.create(Kind.WAR, war(await brief.create(Kind.GROUP, group())))]
    other = await brief.create(Kind.GROUP, group())

    before, version = await until_bookmark(brief, start)

    assert uids(made) == [one for one in before if one in uids(made)]
    assert int(version) >= int(other["metadata"]["resourceVersion"]) > int(start)
    second = await cluster.create(Kind.WAR, war(await cluster.create(Kind.GROUP, group())))
    after = await some(cluster.watch(Kind.WAR, version), 1)
    assert uids([one.object for one in after]) == uids([second])


def briefly(cluster: Cluster) -> Cluster:
    """Return the same cluster; the real one ends its watches after seconds, and sends a bookmark before."""
    if isinstance(cluster, adapter.Kubernetes):
        return adapter.Kubernetes(cluster._objects.api_client, watch_s=12)
    return cluster


async def until_bookmark(cluster: Cluster, start: str) -> tuple[list[str], str]:
    """Return the uids of what a watch told up to its first bookmark, and the version of that."""
    told: list[Manifest] = []
    async with asyncio.timeout(20):
        async for seen in cluster.watch(Kind.WAR, start):
            if seen.type == "BOOKMARK":
                return uids(told), seen.object["metadata"]["resourceVersion"]
            told.append(seen.object)
    raise AssertionError(f"the watch ended without a bookmark; it told {told}")


def uids(items: Iterable[Manifest]) -> list[str]:
    """Return the uid of each object."""
    return [item["metadata"]["uid"] for item in items]


async def test_a_list_is_whole_however_many_pages_it_has(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PAGE", 2)
    made = {(await cluster.create(Kind.GROUP, group()))["metadata"]["uid"] for _ in range(5)}
    found = [item["metadata"]["uid"] for item in (await cluster.list(Kind.GROUP)).items]
    assert made <= set(found)
    assert len(found) == len(set(found))


async def test_who_manages_which_field_is_not_held_and_stays_known_through_an_update(real: Cluster, kube: Path) -> None:
    made = await real.create(Kind.GROUP, group())
    about = made["metadata"]
    where = ("networking.istio.io", "v1", about["namespace"], "workloadgroups", about["name"])
    note = {"metadata": {"annotations": {"note": "theirs"}}}
    api = await adapter.connect(kube, None)
    try:
        objects = client.CustomObjectsApi(api)
        await objects.patch_namespaced_custom_object(
            *where, note, field_manager="people", _content_type="application/merge-patch+json"
        )
        held = await listed(real, Kind.GROUP, about["name"])
        assert held is not None
        told = await real.update(Kind.GROUP, with_account(held, "new"))
        kept: dict[str, Any] = await objects.get_namespaced_custom_object(*where)
    finally:
        await api.close()
    assert all("managedFields" not in item["metadata"] for item in (made, held, told))
    assert "people" in {one["manager"] for one in kept["metadata"]["managedFields"]}


async def test_a_version_that_was_forgotten_is_too_old_to_watch_from(cluster: Cluster) -> None:
    memory = cluster.cluster if isinstance(cluster, Line) else cluster
    if isinstance(memory, MemoryCluster):
        await cluster.create(Kind.GROUP, group())
        memory.compact()
    with pytest.raises(GoneError):
        await some(cluster.watch(Kind.GROUP, "0" if isinstance(memory, MemoryCluster) else "1"), 1)


async def some(watch: AsyncIterator[Any], number: int) -> list[Seen]:
    """Return the first events of a watch, bookmarks aside."""
    found: list[Seen] = []
    async with asyncio.timeout(20):
        async for seen in watch:
            if seen.type != "BOOKMARK":
                found.append(seen)
            if len(found) == number:
                break
    return found


async def test_an_attempt_is_created_whole_read_back_as_it_was_replaced_whole_and_deleted(cluster: Cluster) -> None:
    created = await cluster.create(Kind.ATTEMPT, attempt())
    found = await listed(cluster, Kind.ATTEMPT, created["metadata"]["name"])
    assert found is not None
    before = Attempt.of(found)
    assert before is not None
    assert before == Attempt.of(attempt())
    after = Attempt(before.spec, before.status.model_copy(update={"attempts": 2}))
    replaced = await cluster.update(Kind.ATTEMPT, {**found, **after.content()})
    assert Attempt.of(replaced) == after
    with pytest.raises(ConflictError):
        await cluster.update(Kind.ATTEMPT, {**found, **before.content()})
    await cluster.delete(Kind.ATTEMPT, exactly(replaced))
    assert await listed(cluster, Kind.ATTEMPT, created["metadata"]["name"]) is None
