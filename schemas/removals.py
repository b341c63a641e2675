"""What is written to ``muster.removals`` by the sink and to ``muster.restores`` by people: a removal can be undone.

Both are compacted by the workload's key and kept for a retention time. A restore holds the removal it undoes whole, so
that it says by itself what is to come back, and is void for any other.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.events import Short, Words
from schemas.message import Message, Offset, Partition, Session
from schemas.names import MAX_NAME, MAX_NAMESPACE, WorkloadKey
from schemas.resource import WarSpec
from schemas.workloads import Reason

LONGEST_RESTORE = timedelta(days=1)
"""A workload that is away for longer is looked at again by somebody; also, the processor forgets no removal sooner."""


class Removal(Message):
    """A registration as it was when the sink removed it, and by which verdict."""

    v: Literal[1] = 1
    type: Literal["removal"] = "removal"
    namespace: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAMESPACE)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
    uid: str
    """Of the WorkloadAutoRegistration that was deleted."""
    spec: WarSpec
    session: Session
    reason: Reason
    message: str
    removed_at: AwareDatetime
    """Broker time of the tick that decided it."""
    partition: Partition
    revision: Offset
    """Offset of that tick in its partition of ``muster.events``."""
    window: Annotated[int, Field(ge=0)]

    @property
    def key(self) -> WorkloadKey:
        """Whose registration it was."""
        return WorkloadKey(self.namespace, self.spec.workload_group.name, self.spec.identity.name)


class Release(Message):
    """An operator's word that all who are silent are gone, for a time: the sink doubts no observer (ADR 0016).

    Its key is that of control records, since it is of no workload.
    """

    v: Literal[1] = 1
    type: Literal["release"] = "release"
    who: Short
    why: Words
    for_seconds: Annotated[int, Field(ge=1, le=int(LONGEST_RESTORE.total_seconds()))]
    """Counted from the broker's time of this record."""


class Restore(Message):
    """An operator's order to bring the WorkloadEntry of a removed workload back, for a time."""

    v: Literal[1] = 1
    type: Literal["restore"] = "restore"
    removal: Removal
    who: Short
    why: Words
    for_seconds: Annotated[int, Field(ge=1, le=int(LONGEST_RESTORE.total_seconds()))]
    """Counted from the broker's time of this record."""
