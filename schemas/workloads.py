"""What is written to ``muster.workloads``: the newest state of each workload, by the processor.

Compacted by key. A consumer applies a state only if its ``revision`` is above the one it has (DESIGN.md, rule 4).
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from schemas.credentials import Verified
from schemas.events import Introduction
from schemas.message import Message, Offset, Partition, Session


class Presence(StrEnum):
    """Whether the agent of a workload is there."""

    CONNECTED = "connected"
    UNKNOWN = "unknown"
    """The partition is braked: it would be marked absent, if the roll call could be trusted."""
    ABSENT = "absent"
    REMOVED = "removed"
    """Absent for the whole grace; its registration is to be taken away."""


class Reason(StrEnum):
    """Why a workload is in its presence; the reasons of the condition ``AgentConnected``."""

    ESTABLISHED = "AgentEstablishedConnection"
    DISCONNECTED = "AgentDisconnected"
    MISSED_WINDOWS = "AgentMissedWindows"
    SUSPENDED = "RollCallSuspended"
    GRACE_EXPIRED = "GracePeriodExpired"


class Workload(Message):
    """The state of one workload after the record at offset ``revision`` of its partition of ``muster.events``."""

    v: Literal[1] = 1
    type: Literal["workload"] = "workload"
    workload: Introduction
    session: Session
    presence: Presence
    reason: Reason
    message: str = ""
    since: AwareDatetime
    """Broker time of the record that brought this presence."""
    partition: Partition
    revision: Offset
    verified: Verified | None = None
    """By what the identity was proven; None where the processor verified nothing (before version 0.2)."""
    window: Annotated[int, Field(ge=0)]
    """Number of the window that was open (for a verdict: that was closed) then."""
