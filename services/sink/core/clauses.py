"""The clauses of an OnboardingPolicy's rule, each held against an identity or a group, with what was received."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from schemas.identity import AwsIdentity, AzureIdentity, GcpIdentity, Identity, JwtIdentity
from schemas.policies import AwsClause, AzureClause, GcpClause, JwtClause, OnboardTo, WorkloadClause
from services.sink.core.selector import selects, spoken

KINDS = ("aws", "jwt", "gcp", "azure")
OTHER_KIND = 100
"""A rule for another kind of workload is farther from allowing than any of the right kind."""


class Check(NamedTuple):
    """One clause; ``weight`` is how much farther the rule is from allowing where it does not hold."""

    clause: str
    expected: str
    received: str
    holds: bool
    weight: int = 1


def onboard_to(place: str, targets: Sequence[OnboardTo], labels: Mapping[str, str], group: str) -> Check:
    """Check that a group is among those that a rule is for."""
    wanted = [one.workload_group_selector for one in targets]
    expected = " or ".join(f"a WorkloadGroup with {spoken(one)}" for one in wanted)
    had = ",".join(f"{name}={value}" for name, value in sorted(labels.items())) or "no labels"
    return Check(place, expected, f"{group} with {had}", any(selects(one, labels) for one in wanted))


def workload(place: str, clause: WorkloadClause, identity: Identity) -> Sequence[Check]:
    """Check a clause of a rule against an identity, field by field."""
    asked = next(kind for kind in KINDS if getattr(clause, kind) is not None)
    had = next(kind for kind in KINDS if getattr(identity, kind) is not None)
    place = f"{place}.{asked}"
    if clause.aws is not None and identity.aws is not None:
        return _aws(place, clause.aws, identity.aws)
    if clause.jwt is not None and identity.jwt is not None:
        return _jwt(place, clause.jwt, identity.jwt)
    if clause.gcp is not None and identity.gcp is not None:
        return _gcp(place, clause.gcp, identity.gcp)
    if clause.azure is not None and identity.azure is not None:
        return _azure(place, clause.azure, identity.azure)
    return (Check(place, f"an identity of kind {asked}", f"one of kind {had}", holds=False, weight=OTHER_KIND),)


def _aws(place: str, clause: AwsClause, aws: AwsIdentity) -> Sequence[Check]:
    checks = [
        _one_of(f"{place}.partitions", clause.partitions, aws.partition),
        _one_of(f"{place}.accounts", clause.accounts, aws.account),
        _one_of(f"{place}.regions", clause.regions, aws.region),
        _one_of(f"{place}.zones", clause.zones, aws.zone),
    ]
    if clause.ec2 is not None:
        checks.append(Check(f"{place}.ec2", "an EC2 instance", "an ECS task", aws.ec2 is not None))
        if aws.ec2 is not None:
            checks.append(_one_of(f"{place}.ec2.iamRoleNames", clause.ec2.iam_role_names, aws.ec2.iam_role))
    if clause.ecs is not None:
        checks.append(Check(f"{place}.ecs", "an ECS task", "an EC2 instance", aws.ecs is not None))
        if aws.ecs is not None:
            checks.append(_one_of(f"{place}.ecs.clusters", clause.ecs.clusters, aws.ecs.cluster))
            checks.append(_one_of(f"{place}.ecs.iamRoleNames", clause.ecs.iam_role_names, aws.ecs.iam_role))
    return checks


def _jwt(place: str, clause: JwtClause, jwt: JwtIdentity) -> Sequence[Check]:
    checks = [
        Check(f"{place}.issuer", clause.issuer, jwt.issuer, clause.issuer == jwt.issuer),
        _one_of(f"{place}.subjects", clause.subjects, jwt.subject),
    ]
    for number, wanted in enumerate(clause.attributes):
        told = jwt.attributes.get(wanted.name)
        had = _values(told) if told is not None else ()
        received = _listed(had) if had else "no such attribute"
        where = f"{place}.attributes[{number}] ({wanted.name})"
        checks.append(Check(where, _listed(wanted.values), received, bool(set(had) & set(wanted.values))))
    return checks


def _gcp(place: str, clause: GcpClause, gcp: GcpIdentity) -> Sequence[Check]:
    return (
        _one_of(f"{place}.projects", clause.projects, gcp.project),
        _one_of(f"{place}.zones", clause.zones, gcp.zone),
        _one_of(f"{place}.serviceAccounts", clause.service_accounts, gcp.service_account),
    )


def _azure(place: str, clause: AzureClause, azure: AzureIdentity) -> Sequence[Check]:
    # Azure compares both without regard to case; the verified identity has them in lower case.
    return (
        _one_of(f"{place}.subscriptions", clause.subscriptions, azure.subscription, str.lower),
        _one_of(f"{place}.resourceGroups", clause.resource_groups, azure.resource_group, str.lower),
    )


def _one_of(clause: str, wanted: Sequence[str], had: str | None, spelt: Callable[[str], str] = str) -> Check:
    """Check a value against a list, of which the empty one is any."""
    holds = not wanted or (had is not None and had in map(spelt, wanted))
    return Check(clause, _listed(wanted), had or "none", holds)


def _listed(values: Sequence[str]) -> str:
    return " or ".join(values)


def _values(text: str) -> tuple[str, ...]:
    """Return the values that stand in the text of an attribute (services.identity.core.attributes)."""
    return tuple(one.replace("%2C", ",").replace("%25", "%") for one in text.split(","))
