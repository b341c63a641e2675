"""What is written to ``muster.registrations``: the sink's answer to a session, read by its agent.

Compacted by key: the newest answer per workload. An agent heeds only answers that name its own session.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.message import Message, Session
from schemas.resource import GroupSnapshot


class RefusalReason(StrEnum):
    """Why a session was not registered."""

    GROUP_NOT_FOUND = "WorkloadGroupNotFound"
    NAMESPACE_NOT_FOUND = "NamespaceNotFound"
    NOT_VERIFIED = "IdentityNotVerified"
    """The credential was not accepted: the message begins with its reason code (schemas.credentials)."""
    NOT_ALLOWED = "NotAllowedByPolicy"
    """No OnboardingPolicy of the namespace allows it: the message says which came closest, and what failed."""
    DUPLICATE_IDENTITY = "DuplicateIdentity"
    """A living session has this identity, and the newcomer could not show that it is the same machine."""
    INVALID_EVENT = "InvalidEvent"
    """The processor could not take the event that was to begin it: the message begins with its reason code."""
    INVALID_OBJECT = "InvalidObject"
    """The Kubernetes API refused the object; its words are in the message."""


class EndReason(StrEnum):
    """Why a registration ended."""

    DELETED = "RegistrationDeleted"
    """Somebody deleted the WorkloadAutoRegistration: the agent onboards anew."""
    GRACE_EXPIRED = "GracePeriodExpired"


class Registered(Message):
    """The session has a WorkloadAutoRegistration."""

    v: Literal[1] = 1
    type: Literal["registered"] = "registered"
    session: Session
    namespace: str
    name: str
    uid: str
    snapshot: GroupSnapshot
    resource_version: str | None = None
    """Of the object, as the sink had written it when it answered; older sinks did not say."""


class Refused(Message):
    """The session has none, and why; the sink tries again by itself."""

    v: Literal[1] = 1
    type: Literal["refused"] = "refused"
    session: Session
    reason: RefusalReason
    message: str


class Ended(Message):
    """The session's registration is gone; only a new session can have another."""

    v: Literal[1] = 1
    type: Literal["ended"] = "ended"
    session: Session
    uid: str
    reason: EndReason
    message: str


Answer = Annotated[Registered | Refused | Ended, Field(discriminator="type")]
