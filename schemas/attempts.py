"""The Kubernetes object of kind OnboardingAttempt: a workload that was refused, so that people see it (ADR 0012).

It is no registration: nothing of Muster acts on it. ``deploy/crd/onboardingattempts.yaml`` says the same to Kubernetes;
a test keeps the two in agreement.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.events import Address, Words
from schemas.identity import Identity
from schemas.message import Message, Offset, Partition, Session
from schemas.names import MAX_NAME

GROUP = "authorization.onboarding.tetrate.io"
API_VERSION = "v1alpha1"
KIND = "OnboardingAttempt"
PLURAL = "onboardingattempts"
SHORT_NAME = "oa"

MOST_ADDRESSES = 8
"""A machine may report more; so many are shown."""


class Standing(StrEnum):
    """What is known of who was refused."""

    VERIFIED = "Verified"
    """The identity was proven."""
    UNVERIFIED = "Unverified"
    """Somebody claimed the identity, and did not prove it."""
    DUPLICATE = "Duplicate"
    """The identity was proven, but another machine lives under it."""


class AttemptSpec(Message):
    """Who tried to join what: exactly one of ``identity`` and ``claimed``."""

    workload_group: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
    identity: Identity | None = None
    claimed: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)] | None = None
    """Where no identity can be read: what stands for it in the record's key."""
    standing: Standing

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.identity is None) == (self.claimed is None):
            raise ValueError("give exactly one of identity and claimed")
        return self


class FailedClause(Message):
    """Which OnboardingPolicy came closest, and its first clause that did not hold."""

    policy: Annotated[str, StringConstraints(max_length=MAX_NAME)]
    clause: Words
    expected: Words
    received: Words


class AttemptStatus(Message):
    """The newest attempt, and how many there were; times are the broker's."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    message: Words
    failed_clause: FailedClause | None = None
    session: Session
    addresses: Annotated[tuple[Address, ...], Field(max_length=MOST_ADDRESSES)] = ()
    attempts: Annotated[int, Field(ge=1)]
    first_at: AwareDatetime
    last_at: AwareDatetime
    partition: Partition
    revision: Offset
    """Offset of the newest attempt in its partition of ``muster.events``: what is not newer changes nothing."""
