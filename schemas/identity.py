"""Who a workload is, and the name that follows from it.

The shapes are those of ``kubectl describe war`` and the names those of DESIGN.md, "What a user sees". Parts that others
choose are spelled (``schemas.names.spelled``), so that two verified identities never have the same name (ADR 0010).
"""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.message import Message
from schemas.names import spelled

Account = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
InstanceId = Annotated[str, StringConstraints(pattern=r"^i-[0-9a-f]{8,17}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class Ec2Instance(Message):
    """A virtual machine of AWS EC2."""

    instance_id: InstanceId
    iam_role: Word | None = None
    """Name of its IAM role, where STS confirmed it."""


class EcsTask(Message):
    """A task of AWS ECS."""

    cluster: Word
    task_id: Word
    iam_role: Word | None = None
    """Name of its IAM role, where who vouches for the task said it."""


class AwsIdentity(Message):
    """A workload on AWS: exactly one of ``ec2`` and ``ecs``."""

    partition: Word
    account: Account
    region: Word
    zone: Word
    ec2: Ec2Instance | None = None
    ecs: EcsTask | None = None

    @model_validator(mode="after")
    def _exactly_one_kind(self) -> Self:
        if (self.ec2 is None) == (self.ecs is None):
            raise ValueError("give exactly one of ec2 and ecs")
        return self

    @property
    def name(self) -> str:
        """``aws-<partition>-<account>-<zone>-ec2-<instance-id>`` or its ECS form."""
        if self.ec2 is not None:
            kind = f"ec2-{self.ec2.instance_id}"
        elif self.ecs is not None:
            kind = f"ecs-{spelled(self.ecs.cluster)}-{spelled(self.ecs.task_id)}"
        else:  # pragma: no cover - the validator above excludes it
            raise AssertionError("an AWS identity without a kind")
        return f"aws-{self.partition}-{self.account}-{self.zone}-{kind}"


class JwtIdentity(Message):
    """A workload with an OIDC token; ``issuer`` is the short name the operator gave its issuer."""

    issuer: Word
    subject: Word
    attributes: dict[str, str] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """``jwt-<issuer short name>--<subject>``: a short name has no two hyphens in a row."""
        return f"jwt-{self.issuer}--{spelled(self.subject)}"


class GcpIdentity(Message):
    """A virtual machine of Google Compute Engine."""

    project: Word
    zone: Word
    instance_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")]
    instance_name: Word | None = None
    service_account: Word | None = None

    @property
    def name(self) -> str:
        """``gcp-<project>-<zone>-<instance-id>``: Google's zones have two hyphens, and instance ids none."""
        return f"gcp-{spelled(self.project)}-{spelled(self.zone)}-{self.instance_id}"


class AzureIdentity(Message):
    """A virtual machine of Azure, by its managed identity."""

    tenant: Word
    subscription: Word
    resource_group: Word
    vm: Word

    @property
    def name(self) -> str:
        """``azure-<subscription>-<resource-group>---<vm>``: groups and machines both may have hyphens, never three."""
        return f"azure-{spelled(self.subscription)}-{spelled(self.resource_group)}---{spelled(self.vm)}"


class Identity(Message):
    """Exactly one of the kinds of identity."""

    aws: AwsIdentity | None = None
    jwt: JwtIdentity | None = None
    gcp: GcpIdentity | None = None
    azure: AzureIdentity | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(kind is not None for kind in (self.aws, self.jwt, self.gcp, self.azure)) != 1:
            raise ValueError("give exactly one of aws, jwt, gcp and azure")
        return self

    @property
    def name(self) -> str:
        """The workload-identity part of keys and object names."""
        kind = self.aws or self.jwt or self.gcp or self.azure
        if kind is None:  # pragma: no cover - the validator above excludes it
            raise AssertionError("an identity without a kind")
        return kind.name
