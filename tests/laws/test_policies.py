"""Laws of admission: policies only allow, in any order, and the clause that a refusal names is what failed."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import AwsIdentity, Ec2Instance, Identity, JwtIdentity
from schemas.policies import PolicySpec
from services.sink.core.policy import Allowed, Denied, Policy, decide

ACCOUNTS = ("000000000001", "000000000002")
ZONES = ("z-1a", "z-1b")
_some = st.lists(st.sampled_from(ZONES), unique=True)
_aws = st.builds(
    lambda accounts, zones, roles: {"aws": {"accounts": accounts, "zones": zones, "ec2": {"iamRoleNames": roles}}},
    st.lists(st.sampled_from(ACCOUNTS), min_size=1, unique=True),
    _some,
    st.lists(st.sampled_from(("web", "db")), unique=True),
)
_jwt = st.builds(
    lambda issuer, values: {"jwt": {"issuer": issuer, "attributes": [{"name": "team", "values": values}]}},
    st.sampled_from(("corp", "lab")),
    st.lists(st.sampled_from(("web", "db")), min_size=1, unique=True),
)
_labels = st.dictionaries(st.sampled_from(("app", "tier")), st.sampled_from(("a", "b")))
_expression = st.builds(
    lambda key, values: {"key": key, "operator": "In" if values else "Exists", "values": values},
    st.sampled_from(("app", "tier")),
    st.lists(st.sampled_from(("a", "b")), unique=True),
)
_selector = st.fixed_dictionaries({"matchLabels": _labels, "matchExpressions": st.lists(_expression, max_size=2)})
_rule = st.builds(
    lambda workloads, selector: {"workloads": workloads, "onboardTo": [{"workloadGroupSelector": selector}]},
    st.lists(_aws | _jwt, min_size=1, max_size=3),
    _selector,
)
_spec = st.lists(_rule, max_size=2).map(lambda allow: PolicySpec.model_validate({"allow": allow}))
_policies = st.lists(_spec, max_size=4).map(lambda specs: [Policy(f"p-{n}", spec) for n, spec in enumerate(specs)])
_identity = st.one_of(
    st.builds(
        lambda account, zone, role: Identity(
            aws=AwsIdentity(
                partition="aws",
                account=account,
                region="z-1",
                zone=zone,
                ec2=Ec2Instance(instance_id="i-00000001", iam_role=role),
            )
        ),
        st.sampled_from(ACCOUNTS),
        st.sampled_from(ZONES),
        st.sampled_from(("web", "db", None)),
    ),
    st.builds(
        lambda issuer, team: Identity(jwt=JwtIdentity(issuer=issuer, subject="ann", attributes={"team": team})),
        st.sampled_from(("corp", "lab")),
        st.sampled_from(("web", "db", "web,db")),
    ),
)


@given(_identity, _labels, _policies, _spec)
def test_a_further_policy_never_takes_away_what_was_allowed(
    identity: Identity, labels: dict[str, str], policies: list[Policy], further: PolicySpec
) -> None:
    if isinstance(decide(identity, labels, policies, "g"), Allowed):
        assert isinstance(decide(identity, labels, [*policies, Policy("a-further", further)], "g"), Allowed)


@given(_identity, _labels, _policies, st.randoms(use_true_random=False))
def test_the_order_of_policies_says_nothing(
    identity: Identity, labels: dict[str, str], policies: list[Policy], dice: object
) -> None:
    shuffled = list(policies)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide(identity, labels, shuffled, "g") == decide(identity, labels, policies, "g")


@given(_identity, _labels, _policies)
def test_who_is_allowed_is_allowed_by_one_rule_alone(
    identity: Identity, labels: dict[str, str], policies: list[Policy]
) -> None:
    found = decide(identity, labels, policies, "g")
    alone = [
        decide(identity, labels, [Policy(one.name, PolicySpec(allow=(rule,)))], "g")
        for one in policies
        for rule in one.spec.allow
    ]
    assert isinstance(found, Allowed) == any(isinstance(one, Allowed) for one in alone)
    if isinstance(found, Allowed):
        assert Allowed(found.policy) in alone


@given(_identity, _labels, _policies)
def test_a_refusal_names_what_is_in_the_policy_and_was_not_met(
    identity: Identity, labels: dict[str, str], policies: list[Policy]
) -> None:
    found = decide(identity, labels, policies, "g")
    if isinstance(found, Denied) and found.policy:
        assert found.policy in {one.name for one in policies}
        assert found.received not in found.expected.split(" or ")
    elif isinstance(found, Denied):
        assert not any(one.spec.allow for one in policies)
