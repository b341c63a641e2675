"""Admission: whether an identity may join a group, and whether it is verified.

Today every identity may join a group that exists and none is verified: ``verify`` says so, and is where proof of an
identity will be judged. Nothing else in the sink decides either.
"""

from typing import Literal, NamedTuple

from schemas.identity import Identity
from schemas.names import WorkloadKey
from schemas.registrations import RefusalReason
from services.sink.core.objects import Group


class Verification(NamedTuple):
    """What the condition ``IdentityVerified`` says."""

    status: Literal["True", "False"]
    reason: str
    message: str


class Admitted(NamedTuple):
    """The workload may join the group."""

    group: Group


class RefusedBy(NamedTuple):
    """It may not, and why."""

    reason: RefusalReason
    message: str


def verify(_identity: Identity) -> Verification:
    """Return what is known of an identity's proof: nothing yet."""
    return Verification("False", "NotVerified", "the identity is what the agent reported; its proof was not checked")


def admit(_identity: Identity, key: WorkloadKey, *, namespace: bool, group: Group | None) -> Admitted | RefusedBy:
    """Say whether an identity may join; ``namespace`` is whether the key's namespace exists."""
    if not namespace:
        return RefusedBy(RefusalReason.NAMESPACE_NOT_FOUND, f"there is no namespace {key.namespace}")
    if group is None:
        return RefusedBy(
            RefusalReason.GROUP_NOT_FOUND, f"there is no WorkloadGroup {key.group} in namespace {key.namespace}"
        )
    return Admitted(group)
