"""Admission: whether a workload may join a group, by its verified identity and its namespace's policies (ADR 0011).

Nothing else in the sink decides it. What was proven, and how, the processor says; the sink does not verify again.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from schemas.credentials import Verified
from schemas.registrations import RefusalReason
from schemas.workloads import Workload
from services.sink.core.objects import Group
from services.sink.core.policy import Denied, Policy, continuous, decide


class Said(NamedTuple):
    """What a condition says."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


class Admitted(NamedTuple):
    """The workload may join the group."""

    group: Group


class RefusedBy(NamedTuple):
    """It may not, and why."""

    reason: RefusalReason
    message: str
    denied: Denied | None = None
    """Which clause of which policy failed, where it was the policies."""


def verification(verified: Verified | None) -> Said:
    """Return what the condition ``IdentityVerified`` says."""
    if verified is None:
        return Said("False", "NotVerified", "the identity is what the agent reported; nothing proved it")
    return Said("True", "CredentialVerified", f"by {verified.method}, key {verified.key}")


def permission(workload: Workload, group: Group | None, policies: Sequence[Policy]) -> Said:
    """Return what the condition ``AllowedByPolicy`` says: what today's policies would answer."""
    if group is None:
        return Said("Unknown", "WorkloadGroupNotFound", "")
    denied = _denied(workload, group, policies)
    # Without the policy's name: another one that allows as well would be a write for every workload.
    return Said("True", "PolicyAllows", "") if denied is None else Said("False", denied.reason, denied.message)


def admit(
    workload: Workload, group: Group | None, policies: Sequence[Policy], *, namespace: bool
) -> Admitted | RefusedBy:
    """Say whether a workload may join; ``namespace`` is whether its namespace exists."""
    key = workload.workload.key
    if not namespace:
        return RefusedBy(RefusalReason.NAMESPACE_NOT_FOUND, f"there is no namespace {key.namespace}")
    if group is None:
        return RefusedBy(
            RefusalReason.GROUP_NOT_FOUND, f"there is no WorkloadGroup {key.group} in namespace {key.namespace}"
        )
    return _denied(workload, group, policies) or Admitted(group)


def expelled(workload: Workload, group: Group | None, policies: Sequence[Policy]) -> RefusedBy | None:
    """Return why one that has joined may not stay, where the policies of its namespace are enforced continuously."""
    if group is None or not continuous(policies):
        return None
    return _denied(workload, group, policies)


def _denied(workload: Workload, group: Group, policies: Sequence[Policy]) -> RefusedBy | None:
    if workload.verified is None:
        return RefusedBy(RefusalReason.NOT_VERIFIED, "nothing proved the identity: show a credential, see muster agent")
    verdict = decide(workload.workload.identity, group.labels, policies, f"WorkloadGroup {group.name}")
    return RefusedBy(RefusalReason.NOT_ALLOWED, verdict.message, verdict) if isinstance(verdict, Denied) else None
