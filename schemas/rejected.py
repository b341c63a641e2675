"""What is written to ``muster.rejected``: a record that could not be taken, whole, with where it stood and why."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Base64Bytes

from schemas.message import Message, Offset, Partition


class RejectReason(StrEnum):
    """Reason codes; the words beside them say what was expected."""

    UNDECODABLE = "Undecodable"
    UNKNOWN_VERSION = "UnknownVersion"
    UNKNOWN_TYPE = "UnknownType"
    MISSING_FIELD = "MissingField"
    INVALID_FIELD = "InvalidField"
    OVERSIZE = "Oversize"
    KEY_MISMATCH = "KeyMismatch"
    INVALID_NAME = "InvalidName"
    WRONG_PARTITION = "WrongPartition"
    FORGED_LINK = "ForgedLink"
    """An event does not show the link of its session's chain (ADR 0007)."""
    DUPLICATE_IDENTITY = "DuplicateIdentity"
    """A connect would supersede a living session of which it is not the continuation (ADR 0007)."""
    NOT_VERIFIED = "IdentityNotVerified"
    """The credential was not accepted: the message begins with its reason code (schemas.credentials)."""

    FORGED_CONTROL = "ForgedControl"
    """A record speaks for the processor or an operator, and none of the keys for that signed it (ADR 0014)."""
    UNKNOWN_BUNDLE = "UnknownBundle"
    """A record names a trust bundle that this worker has not: it does not come into force."""


class Rejected(Message):
    """The original bytes, where they stood, a reason code and words."""

    v: Literal[1] = 1
    type: Literal["rejected"] = "rejected"
    reason: RejectReason
    message: str
    by: Literal["processor", "sink", "agent"]
    topic: str
    partition: Partition
    offset: Offset
    timestamp: AwareDatetime
    key: Base64Bytes | None = None
    value: Base64Bytes | None = None
