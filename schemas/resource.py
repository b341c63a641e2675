"""The Kubernetes object of kind WorkloadAutoRegistration, as pydantic models.

``deploy/crd/workloadautoregistrations.yaml`` says the same to Kubernetes; a test keeps the two in agreement.
"""

from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from schemas.credentials import Verified
from schemas.events import Registration
from schemas.identity import Identity
from schemas.message import Message, Offset, Partition, Session

GROUP = "runtime.onboarding.tetrate.io"
API_VERSION = "v1alpha1"
KIND = "WorkloadAutoRegistration"
PLURAL = "workloadautoregistrations"
SHORT_NAME = "war"


class ConditionType(StrEnum):
    """The conditions a WAR has."""

    AGENT_CONNECTED = "AgentConnected"
    IDENTITY_VERIFIED = "IdentityVerified"
    GROUP_CURRENT = "WorkloadGroupCurrent"
    DUPLICATE_IDENTITY = "DuplicateIdentity"
    """True while another machine shows the same identity."""
    REMOVAL_SUSPENDED = "RemovalSuspended"
    """True while so much of the fleet is silent that nothing is taken from the silent."""
    ALLOWED = "AllowedByPolicy"
    """False where today's policies would refuse the workload."""


class Condition(Message):
    """A condition in Kubernetes' convention (metav1.Condition)."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: AwareDatetime
    observed_generation: int


class GroupSnapshot(Message):
    """The WorkloadGroup as it was when the workload joined; it never changes afterwards."""

    name: str
    uid: str
    generation: int
    resource_version: str
    spec: dict[str, Any] = Field(default_factory=dict)


class WarSpec(Message):
    """What the WAR says of the workload: who it is, what its agent reported, what it was given."""

    identity: Identity
    registration: Registration
    workload_group: GroupSnapshot


class WarStatus(Message):
    """What Muster observed, and the revision it wrote last: an older one is never written over it."""

    conditions: tuple[Condition, ...] = ()
    session: Session | None = None
    partition: Partition | None = None
    revision: Offset | None = None
    verified: Verified | None = None
