"""The Kubernetes object of kind OnboardingPolicy: who may join which WorkloadGroups of its namespace (ADR 0011).

Policies only allow; what none allows is denied. An empty list is any. ``deploy/crd/onboardingpolicies.yaml`` says the
same to Kubernetes, so that kubectl refuses what makes no sense; a test keeps the two in agreement.

Unlike a message's, a field that is not known here is not ignored: it may narrow whom a newer policy allows.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.identity import Account, Word
from schemas.message import Message

GROUP = "authorization.onboarding.tetrate.io"
API_VERSION = "v1alpha1"
KIND = "OnboardingPolicy"
PLURAL = "onboardingpolicies"
SHORT_NAME = "op"

Words = tuple[Word, ...]


class Part(Message):
    """A part of a policy: with a field that is not known, none of it is understood."""

    model_config = ConfigDict(extra="forbid")


class Ec2Clause(Part):
    """EC2 instances, of any role unless some are named."""

    iam_role_names: Words = ()


class EcsClause(Part):
    """ECS tasks."""

    clusters: Words = ()
    iam_role_names: Words = ()


class AwsClause(Part):
    """Workloads on AWS: of at least one account that is named, and exactly one of ``ec2`` and ``ecs``."""

    partitions: Words = ()
    accounts: Annotated[tuple[Account, ...], Field(min_length=1)]
    regions: Words = ()
    zones: Words = ()
    ec2: Ec2Clause | None = None
    ecs: EcsClause | None = None

    @model_validator(mode="after")
    def _exactly_one_kind(self) -> Self:
        if (self.ec2 is None) == (self.ecs is None):
            raise ValueError("give exactly one of ec2 and ecs")
        return self


class AttributeClause(Part):
    """One of the values that an attribute of a token must have."""

    name: Word
    values: Annotated[tuple[str, ...], Field(min_length=1)]


class JwtClause(Part):
    """Workloads with a token of the issuer with this short name; all attributes must fit."""

    issuer: Word
    subjects: Words = ()
    attributes: tuple[AttributeClause, ...] = ()


class GcpClause(Part):
    """Virtual machines of Google Compute Engine, of at least one project that is named."""

    projects: Annotated[Words, Field(min_length=1)]
    zones: Words = ()
    service_accounts: Words = ()


class AzureClause(Part):
    """Virtual machines of Azure, of at least one subscription that is named."""

    subscriptions: Annotated[Words, Field(min_length=1)]
    resource_groups: Words = ()


class WorkloadClause(Part):
    """Exactly one kind of workloads."""

    aws: AwsClause | None = None
    jwt: JwtClause | None = None
    gcp: GcpClause | None = None
    azure: AzureClause | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(kind is not None for kind in (self.aws, self.jwt, self.gcp, self.azure)) != 1:
            raise ValueError("give exactly one of aws, jwt, gcp and azure")
        return self


class Requirement(Part):
    """One expression of a label selector (metav1.LabelSelectorRequirement)."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class Selector(Part):
    """A label selector (metav1.LabelSelector); the empty one selects everything."""

    match_labels: dict[str, str] = Field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()


class OnboardTo(Part):
    """Which WorkloadGroups of the policy's namespace may be joined."""

    workload_group_selector: Selector


class AllowRule(Part):
    """Any of these workloads may join any of those groups."""

    workloads: Annotated[tuple[WorkloadClause, ...], Field(min_length=1)]
    onboard_to: Annotated[tuple[OnboardTo, ...], Field(min_length=1)]


class Enforcement(StrEnum):
    """When the policies of a namespace are asked."""

    ON_JOIN = "OnJoin"
    """When a workload joins; who has joined stays, and ``kubectl get war -o wide`` shows that it would be refused."""
    CONTINUOUS = "Continuous"
    """Always: whom no policy allows any more loses its registration. One such policy makes its namespace so."""


class PolicySpec(Part):
    """What the object says."""

    allow: tuple[AllowRule, ...] = ()
    enforcement: Enforcement = Enforcement.ON_JOIN
