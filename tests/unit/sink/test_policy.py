"""OnboardingPolicies as a pure decision: who is allowed, and what a refusal says of the policy that came closest."""

from typing import Any

import pytest

from schemas.identity import AwsIdentity, AzureIdentity, Ec2Instance, EcsTask, GcpIdentity, Identity, JwtIdentity
from schemas.policies import PolicySpec
from services.sink.core.policy import Allowed, Denied, Policy, decide

LABELS = {"app": "ratings", "tier": "web"}
PLACE = {"partition": "aws", "account": "123456789012", "region": "us-east-2", "zone": "us-east-2b"}
EC2 = Identity(aws=AwsIdentity(**PLACE, ec2=Ec2Instance(instance_id="i-0123456789abcdef0", iam_role="ratings")))
BARE = Identity(aws=AwsIdentity(**PLACE, ec2=Ec2Instance(instance_id="i-0123456789abcdef0")))
ECS = Identity(aws=AwsIdentity(**PLACE, ecs=EcsTask(cluster="web", task_id="7f")))
IN_ROLE = Identity(aws=AwsIdentity(**PLACE, ecs=EcsTask(cluster="web", task_id="7f", iam_role="ratings")))
JWT = Identity(jwt=JwtIdentity(issuer="corp", subject="ann", attributes={"team": "web,a%2Cb", "site": "ams"}))
GCP = Identity(gcp=GcpIdentity(project="shop", zone="europe-west1-b", instance_id="7", service_account="a@b"))
AZURE = Identity(azure=AzureIdentity(tenant="t", subscription="s-1", resource_group="web", vm="one"))


def policy(*workloads: dict[str, Any], name: str = "one", selector: dict[str, Any] | None = None) -> Policy:
    """Return a policy of one rule."""
    rule = {"workloads": workloads, "onboardTo": [{"workloadGroupSelector": selector or {}}]}
    return Policy(name, PolicySpec.model_validate({"allow": [rule]}))


def aws(**fields: object) -> dict[str, Any]:
    return {"aws": {"accounts": ["123456789012"], **({} if "ecs" in fields else {"ec2": {}}), **fields}}


def jwt(**fields: object) -> dict[str, Any]:
    return {"jwt": {"issuer": "corp", **fields}}


def has(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "values": values}


@pytest.mark.parametrize(
    ("identity", "clause"),
    [
        (EC2, aws()),
        (EC2, aws(partitions=["aws"], regions=["us-east-2"], zones=["us-east-2a", "us-east-2b"])),
        (EC2, aws(ec2={"iamRoleNames": ["other", "ratings"]})),
        (BARE, aws()),
        (ECS, aws(ecs={})),
        (ECS, aws(ecs={"clusters": ["web"]})),
        (IN_ROLE, aws(ecs={"clusters": ["web"], "iamRoleNames": ["other", "ratings"]})),
        (JWT, jwt()),
        (JWT, jwt(subjects=["bob", "ann"])),
        (JWT, jwt(attributes=[has("team", "a,b"), has("site", "lon", "ams")])),
        (GCP, {"gcp": {"projects": ["shop"], "zones": ["europe-west1-b"], "serviceAccounts": ["a@b"]}}),
        (AZURE, {"azure": {"subscriptions": ["S-1"], "resourceGroups": ["WEB"]}}),
    ],
)
def test_a_clause_that_holds_allows(identity: Identity, clause: dict[str, Any]) -> None:
    assert decide(identity, LABELS, [policy(clause)], "ratings") == Allowed("one")


@pytest.mark.parametrize(
    ("identity", "clause", "failed", "expected", "received"),
    [
        (EC2, aws(accounts=["999999999999"]), "aws.accounts", "999999999999", "123456789012"),
        (EC2, aws(partitions=["aws-cn"]), "aws.partitions", "aws-cn", "aws"),
        (EC2, aws(regions=["eu-west-1", "eu-west-2"]), "aws.regions", "eu-west-1 or eu-west-2", "us-east-2"),
        (EC2, aws(zones=["us-east-2a"]), "aws.zones", "us-east-2a", "us-east-2b"),
        (EC2, aws(ec2={"iamRoleNames": ["other"]}), "aws.ec2.iamRoleNames", "other", "ratings"),
        (BARE, aws(ec2={"iamRoleNames": ["ratings"]}), "aws.ec2.iamRoleNames", "ratings", "none"),
        (EC2, aws(ecs={}), "aws.ecs", "an ECS task", "an EC2 instance"),
        (ECS, aws(), "aws.ec2", "an EC2 instance", "an ECS task"),
        (ECS, aws(ecs={"clusters": ["other"]}), "aws.ecs.clusters", "other", "web"),
        (ECS, aws(ecs={"iamRoleNames": ["web"]}), "aws.ecs.iamRoleNames", "web", "none"),
        (IN_ROLE, aws(ecs={"iamRoleNames": ["web"]}), "aws.ecs.iamRoleNames", "web", "ratings"),
        (IN_ROLE, aws(ecs={"clusters": ["other"]}), "aws.ecs.clusters", "other", "web"),
        (JWT, {"jwt": {"issuer": "other"}}, "jwt.issuer", "other", "corp"),
        (JWT, jwt(subjects=["bob"]), "jwt.subjects", "bob", "ann"),
        (JWT, jwt(attributes=[has("team", "a")]), "jwt.attributes[0] (team)", "a", "web or a,b"),
        (
            JWT,
            jwt(attributes=[has("site", "ams"), has("rack", "7")]),
            "jwt.attributes[1] (rack)",
            "7",
            "no such attribute",
        ),
        (GCP, {"gcp": {"projects": ["other"]}}, "gcp.projects", "other", "shop"),
        (AZURE, {"azure": {"subscriptions": ["s-2"]}}, "azure.subscriptions", "s-2", "s-1"),
        (EC2, jwt(), "jwt", "an identity of kind jwt", "one of kind aws"),
    ],
)
def test_a_refusal_names_the_clause_and_what_was_expected_and_received(
    identity: Identity, clause: dict[str, Any], failed: str, expected: str, received: str
) -> None:
    found = decide(identity, LABELS, [policy(clause)], "ratings")
    assert found == Denied("one", f"spec.allow[0].workloads[0].{failed}", expected, received)


@pytest.mark.parametrize(
    ("selector", "allowed"),
    [
        ({}, True),
        ({"matchLabels": {"app": "ratings", "tier": "web"}}, True),
        ({"matchLabels": {"app": "ratings", "tier": "db"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["ratings", "reviews"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["ratings"]}]}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"app": "ratings"}, "matchExpressions": [{"key": "zone", "operator": "Exists"}]}, False),
    ],
)
def test_a_group_is_selected_as_kubernetes_selects(selector: dict[str, Any], *, allowed: bool) -> None:
    found = decide(EC2, LABELS, [policy(aws(), selector=selector)], "ratings")
    assert isinstance(found, Allowed) is allowed
    if isinstance(found, Denied):
        assert found.clause == "spec.allow[0].onboardTo"
        assert found.received == "ratings with app=ratings,tier=web"


def test_without_a_policy_nobody_may_join() -> None:
    found = decide(EC2, LABELS, [], "ratings")
    assert isinstance(found, Denied)
    assert found.message == "no OnboardingPolicy in the namespace allows anybody: create one"


def test_a_policy_without_rules_allows_nobody() -> None:
    assert isinstance(decide(EC2, LABELS, [Policy("empty", PolicySpec())], "ratings"), Denied)


def test_the_closest_policy_is_the_one_of_which_least_fails() -> None:
    """A rule for another kind of workload is farther than any of the right kind."""
    far = policy(jwt(), name="a-tokens")
    two = policy(aws(accounts=["999999999999"], zones=["eu-west-1a"]), name="b-two-wrong")
    one = policy(aws(zones=["eu-west-1a"]), name="c-one-wrong")
    found = decide(EC2, LABELS, [far, two, one], "ratings")
    assert isinstance(found, Denied)
    assert found.message == (
        "OnboardingPolicy c-one-wrong came closest: spec.allow[0].workloads[0].aws.zones: expected eu-west-1a, "
        "received us-east-2b"
    )


def _rule(**changed: object) -> dict[str, Any]:
    return {"allow": [{"workloads": [aws()], "onboardTo": [{"workloadGroupSelector": {}}], **changed}]}


def _to(selector: dict[str, Any], **more: object) -> dict[str, Any]:
    return _rule(onboardTo=[{"workloadGroupSelector": selector, **more}])


NEWER: dict[str, tuple[dict[str, Any], str]] = {
    "the policy": ({**_rule(), "deny": []}, "spec.deny"),
    "a rule": (_rule(until="2030-01-01T00:00:00Z"), "spec.allow[0].until"),
    "a workload": (_rule(workloads=[{**aws(), "sgx": {}}]), "spec.allow[0].workloads[0].sgx"),
    "a kind of workload": (_rule(workloads=[{"sgx": {}}]), "spec.allow[0].workloads[0].sgx"),
    "aws": (_rule(workloads=[aws(vpcs=["vpc-1"])]), "spec.allow[0].workloads[0].aws.vpcs"),
    "aws.ec2": (_rule(workloads=[aws(ec2={"amis": ["ami-1"]})]), "spec.allow[0].workloads[0].aws.ec2.amis"),
    "aws.ecs": (_rule(workloads=[aws(ecs={"services": ["web"]})]), "spec.allow[0].workloads[0].aws.ecs.services"),
    "jwt": (_rule(workloads=[jwt(audiences=["x"])]), "spec.allow[0].workloads[0].jwt.audiences"),
    "jwt.attributes": (
        _rule(workloads=[jwt(attributes=[{**has("team", "web"), "match": "Prefix"}])]),
        "spec.allow[0].workloads[0].jwt.attributes[0].match",
    ),
    "gcp": (
        _rule(workloads=[{"gcp": {"projects": ["shop"], "networks": ["n"]}}]),
        "spec.allow[0].workloads[0].gcp.networks",
    ),
    "azure": (
        _rule(workloads=[{"azure": {"subscriptions": ["s-1"], "regions": ["r"]}}]),
        "spec.allow[0].workloads[0].azure.regions",
    ),
    "onboardTo": (_to({}, namespaces=["other"]), "spec.allow[0].onboardTo[0].namespaces"),
    "a selector": (_to({"matchFields": []}), "spec.allow[0].onboardTo[0].workloadGroupSelector.matchFields"),
    "an expression": (
        _to({"matchExpressions": [{"key": "app", "operator": "Exists", "weight": 1}]}),
        "spec.allow[0].onboardTo[0].workloadGroupSelector.matchExpressions[0].weight",
    ),
    "the issue's": (
        {**_rule(workloads=[aws(vpcs=["vpc-1"], ec2={"amis": ["ami-1"]})]), "deny": []},
        "spec.allow[0].workloads[0].aws.ec2.amis",
    ),
    "an operator": (
        _to({"matchExpressions": [{"key": "app", "operator": "Matches"}]}),
        "spec.allow[0].onboardTo[0].workloadGroupSelector.matchExpressions[0].operator",
    ),
    "an enforcement": ({**_rule(), "enforcement": "Hourly"}, "spec.enforcement"),
}


@pytest.mark.parametrize(("spec", "field"), NEWER.values(), ids=NEWER.keys())
def test_a_policy_with_what_is_not_known_allows_nobody_and_a_refusal_says_so(spec: dict[str, Any], field: str) -> None:
    """It narrows whom the policy allows, for all that can be known: to leave it out would fail open."""
    found = Policy.of({"metadata": {"name": "newer", "namespace": "bookinfo"}, "spec": spec})
    assert found.fault.startswith(f"{field}: "), found.fault
    for identity in (EC2, ECS, JWT, GCP, AZURE):
        denied = decide(identity, LABELS, [found], "ratings")
        assert isinstance(denied, Denied)
        assert denied.message == f"OnboardingPolicy newer is not understood and allows nobody ({found.fault})"


def test_metadata_and_status_are_kubernetes_own_and_free() -> None:
    metadata = {"name": "one", "annotations": {"team": "mesh"}, "generation": 3, "uid": "u", "of a newer": "API"}
    found = Policy.of({"metadata": metadata, "spec": _rule(), "status": {"observedGeneration": 3}})
    assert isinstance(decide(EC2, LABELS, [found], "ratings"), Allowed)


def test_beside_one_that_is_not_understood_another_still_allows_and_the_closest_is_still_named() -> None:
    newer = [Policy.of({"metadata": {"name": name}, "spec": {"deny": []}}) for name in ("newest", "newer")]
    assert decide(EC2, LABELS, [*newer, policy(aws())], "ratings") == Allowed("one")
    denied = decide(EC2, LABELS, [*newer, policy(aws(zones=["z"]))], "ratings")
    assert isinstance(denied, Denied)
    assert denied.message == (
        "OnboardingPolicy one came closest: spec.allow[0].workloads[0].aws.zones: expected z, received us-east-2b; "
        "OnboardingPolicy newer (and 1 more) is not understood and allows nobody (spec.deny: a field that is not known)"
    )
