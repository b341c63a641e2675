"""Laws of how what others choose is spelled in names: nobody shares a name, and people can read it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.identity import AwsIdentity, AzureIdentity, EcsTask, GcpIdentity, Identity, JwtIdentity
from schemas.names import WorkloadKey, read_back, spelled

TEXTS = st.text(min_size=1, max_size=40) | st.from_regex(re.compile(r"[a-z0-9.\-]{1,20}"), fullmatch=True)
DULL = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@given(TEXTS)
@example("--61")
@example("a--b")
@example(".-.")
@example("\x00")
def test_what_is_spelled_is_read_back(text: str) -> None:
    assert read_back(spelled(text)) == text


@given(TEXTS, TEXTS)
@example("a--2d", "a-")
@example("A", "--41")
def test_two_texts_are_never_spelled_alike(one: str, other: str) -> None:
    assert (spelled(one) == spelled(other)) == (one == other)


@given(TEXTS)
def test_what_is_spelled_is_valid_inside_a_name_and_has_no_three_hyphens(text: str) -> None:
    part = spelled(text)
    assert SUBDOMAIN.fullmatch(f"x-{part}"), part
    assert SUBDOMAIN.fullmatch(f"x--{part}-y"), part
    assert not part.endswith("-")
    assert "---" not in part


@given(TEXTS)
def test_what_is_a_name_already_stays_as_it_is(text: str) -> None:
    assert (spelled(text) == text) == bool(DULL.fullmatch(text))


@given(st.text(alphabet="abcxyz0189-.", min_size=1, max_size=30))
def test_only_what_spelled_made_is_read_back(part: str) -> None:
    """So a name has one reading at most."""
    text = read_back(part)
    assert text is None or spelled(text) == part


@given(st.text(alphabet=st.characters(categories=["Cs", "Ll"]), max_size=5))
def test_half_a_surrogate_pair_is_no_reason_to_fail(text: str) -> None:
    assert isinstance(spelled(text), str)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("ann", "ann"),
        ("build.ci-2", "build.ci-2"),
        ("system:serviceaccount:shop:web", "system--3aserviceaccount--3ashop--3aweb"),
        ("ann@corp.invalid", "ann--40corp.invalid"),
        ("Ann", "--41nn"),
        ("a_b", "a--5fb"),
    ],
)
def test_the_readable_parts_of_a_text_stay_readable(text: str, part: str) -> None:
    assert spelled(text) == part


ISSUERS = st.from_regex(re.compile(r"[a-z0-9](-?[a-z0-9]){0,8}"), fullmatch=True)
GUID = "11111111-2222-3333-4444-555555555555"
ZONES = st.sampled_from(["europe-west1-b", "us-east1-c"])
NUMBERS = st.from_regex(re.compile(r"[0-9]{1,4}"), fullmatch=True)
IDENTITIES = st.one_of(
    st.builds(lambda issuer, subject: Identity(jwt=JwtIdentity(issuer=issuer, subject=subject)), ISSUERS, TEXTS),
    st.builds(
        lambda project, zone, number: Identity(gcp=GcpIdentity(project=project, zone=zone, instance_id=number)),
        TEXTS,
        ZONES,
        NUMBERS,
    ),
    st.builds(
        lambda group, vm: Identity(azure=AzureIdentity(tenant="t", subscription=GUID, resource_group=group, vm=vm)),
        TEXTS,
        TEXTS,
    ),
)


@given(IDENTITIES, IDENTITIES)
@example(
    Identity(jwt=JwtIdentity(issuer="a", subject="b")),
    Identity(jwt=JwtIdentity(issuer="a-b", subject="b")),
)
@example(
    Identity(azure=AzureIdentity(tenant="t", subscription=GUID, resource_group="a-b", vm="c")),
    Identity(azure=AzureIdentity(tenant="t", subscription=GUID, resource_group="a", vm="b-c")),
)
def test_two_identities_that_can_be_verified_never_have_one_name(one: Identity, other: Identity) -> None:
    assert (one.name == other.name) == (one == other)


@given(IDENTITIES)
def test_the_name_of_an_identity_is_a_name_in_kubernetes_unless_it_is_too_long(identity: Identity) -> None:
    fault = WorkloadKey("bookinfo", "ratings", identity.name).fault()
    assert fault is None or "Kubernetes allows 253" in fault


@given(TEXTS, TEXTS)
@example("a-b", "c")
def test_a_task_has_a_valid_name_though_its_cluster_chooses_it(cluster: str, task: str) -> None:
    ecs = EcsTask(cluster=cluster, task_id=task)
    aws = AwsIdentity(partition="aws", account="1" * 12, region="us-east-2", zone="us-east-2b", ecs=ecs)
    fault = WorkloadKey("a", "b", Identity(aws=aws).name).fault()
    assert fault is None or "Kubernetes allows 253" in fault
