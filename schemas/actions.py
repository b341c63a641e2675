"""What is written to ``muster.actions``: each write of the sink that Kubernetes acknowledged, and the version it made.

It is a trace, and no state: nothing of Muster acts on it, and it is told behind the write (ADR 0015). A sink that dies
in between, and a write whose acknowledgement was lost, leave a write that is not told; one may also be told twice.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.message import Message, Offset, Partition, Session
from schemas.names import MAX_NAME, MAX_NAMESPACE
from schemas.workloads import Presence

Word = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class Verb(StrEnum):
    """What was done to an object."""

    CREATE = "create"
    UPDATE = "update"
    STATUS = "status"
    """Only its status was written."""
    DELETE = "delete"


class Said(Message):
    """A condition as the write left it; its message is in the object alone."""

    type: Word
    status: Word
    reason: Word


class Written(Message):
    """One write. The record's key is that of the workload, and its time the broker's, moments after the write."""

    v: Literal[1] = 1
    type: Literal["written"] = "written"
    action: Verb
    kind: Word
    """Of the object: WorkloadAutoRegistration, WorkloadEntry or OnboardingAttempt."""
    namespace: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAMESPACE)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
    uid: str
    resource_version: str
    """The one that the write made; of a deletion, the one that the object had to have."""
    conditions: Annotated[tuple[Said, ...], Field(max_length=32)] = ()
    """Those to which the write gave another status or reason."""
    partition: Partition | None = None
    """With ``revision``: which state of the workload it tells of. None where the processor has forgotten it."""
    revision: Offset | None = None
    session: Session | None = None
    presence: Presence | None = None
    """Of that state; of an attempt, which has none, only the reason is told."""
    reason: Word | None = None
