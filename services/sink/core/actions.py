"""What the sink can do, as values: each is one write to Kubernetes or one answer."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.registrations import Ended, Refused, Registered
from schemas.removals import Removal

Answered = Registered | Refused | Ended


class CreateWar(NamedTuple):
    """Create the object; a conflict means somebody did."""

    manifest: Mapping[str, Any]


class UpdateWar(NamedTuple):
    """Write ``spec.registration``, if the object is still the one that was observed."""

    manifest: Mapping[str, Any]


class UpdateStatus(NamedTuple):
    """Write the status, if the object is still the one that was observed."""

    manifest: Mapping[str, Any]


class CreateEntry(NamedTuple):
    """Create the WorkloadEntry."""

    manifest: Mapping[str, Any]


class UpdateEntry(NamedTuple):
    """Write the WorkloadEntry, if it is still the one that was observed."""

    manifest: Mapping[str, Any]


class UpdateEntryStatus(NamedTuple):
    """Write the WorkloadEntry's status, if it is still the one that was observed."""

    manifest: Mapping[str, Any]


class DeleteWar(NamedTuple):
    """Delete exactly the object that was observed; its entry goes with it."""

    namespace: str
    name: str
    uid: str
    resource_version: str


class KeepRemoval(NamedTuple):
    """Write what is about to be removed to where it can be restored from."""

    removal: Removal


class DeleteEntry(NamedTuple):
    """Delete exactly the entry that was observed: one that was brought back, and whose time is over."""

    namespace: str
    name: str
    uid: str
    resource_version: str


class AnswerSession(NamedTuple):
    """Tell a session what became of it."""

    answer: Answered


class ForgetAnswer(NamedTuple):
    """Take the answer out of the topic: its workload is forgotten."""


Write = CreateWar | UpdateWar | UpdateStatus | CreateEntry | UpdateEntry | UpdateEntryStatus
"""Puts an object into Kubernetes."""
Action = Write | DeleteEntry | KeepRemoval | DeleteWar | AnswerSession | ForgetAnswer
