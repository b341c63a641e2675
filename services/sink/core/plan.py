"""The plan: what to do next for one workload, from what is wanted, answered and observed. Level-triggered and pure.

A plan holds what can be done with what is known; what needs the uid or generation that a write will bring is in the
plan after it. Done and planned again until nothing is left, it ends in the same world from wherever it starts.
"""

from datetime import datetime
from typing import NamedTuple

from schemas.registrations import Ended, EndReason, Refused
from schemas.resource import WarSpec
from schemas.workloads import Presence, Workload
from services.sink.core import answers, fleet, health, undo
from services.sink.core import duplicate as duplicates
from services.sink.core import entry as entries
from services.sink.core import war as wars
from services.sink.core.actions import (
    Action,
    Answered,
    CreateEntry,
    CreateWar,
    DeleteWar,
    ForgetAnswer,
    KeepRemoval,
    UpdateEntry,
    UpdateStatus,
    UpdateWar,
)
from services.sink.core.admission import RefusedBy, admit, expelled
from services.sink.core.duplicate import Duplicate
from services.sink.core.objects import Entry, Group, War
from services.sink.core.policy import Policy

Plan = tuple[Action, ...]


class Observed(NamedTuple):
    """What Kubernetes has of one workload, and whether another machine was seen to show its identity."""

    namespace: bool
    group: Group | None
    war: War | None
    entry: Entry | None
    policies: tuple[Policy, ...]
    duplicate: Duplicate | None = None
    doubted: bool = False
    """So much of the fleet is silent that the silence of this one is held against its observer."""

    @property
    def endpoint(self) -> Entry | None:
        """The entry, where it is ours to mark."""
        return self.entry if self.entry is not None and self.entry.ours and not self.entry.deleting else None


def plan(
    workload: Workload,
    answer: Answered | None,
    observed: Observed,
    now: datetime,
    restored: undo.Restored | None = None,
) -> Plan:
    """Return what to do next for a workload; nothing is left to do when it is empty."""
    war = observed.war
    if war is not None and not _is_of(war, workload):
        if workload.presence is Presence.REMOVED:
            return answers.end(workload, answer, EndReason.GRACE_EXPIRED)
        return answers.refuse(workload, answer, f"the name {war.name} is taken by the registration of another workload")
    if war is not None and (war.deleting or is_newer(war, workload)):
        return ()
    if workload.presence is Presence.REMOVED:
        return _remove(workload, answer, observed, now) or undo.entry(
            restored if undo.in_force(restored, workload, now) else None, observed.group, observed.entry
        )
    if war is None:
        return _join(workload, answer, observed)
    return _keep(workload, answer, observed, war, now)


def forget(answer: Answered | None, observed: Observed, now: datetime, restored: undo.Restored | None = None) -> Plan:
    """Return what to do for a workload that the processor has forgotten."""
    if isinstance(answer, Ended):
        return (ForgetAnswer(),)
    if observed.war is not None:
        return ()
    in_force = undo.in_force(restored, None, now)
    return undo.entry(restored if in_force else None, observed.group, observed.entry)


def is_newer(war: War, workload: Workload) -> bool:
    """Whether the object was written from a later state than this one: then it is not ours to write."""
    status = war.status
    return (
        status is not None
        and status.revision is not None
        and status.partition == workload.partition
        and status.revision > workload.revision
    )


def _is_of(war: War, workload: Workload) -> bool:
    key = workload.workload.key
    return war.spec is not None and war.spec.identity.name == key.identity and war.spec.workload_group.name == key.group


def _join(workload: Workload, answer: Answered | None, observed: Observed) -> Plan:
    """Plan for a workload without a WAR."""
    out = expelled(workload, observed.group, observed.policies)
    if answer is not None and answer.session == workload.session and not isinstance(answer, Refused) and out is None:
        # This session had one: somebody deleted it, and only a new session can have another.
        return answers.end(workload, answer, EndReason.DELETED)
    if workload.presence is Presence.ABSENT:
        return ()
    verdict = out or admit(workload, observed.group, observed.policies, namespace=observed.namespace)
    if isinstance(verdict, RefusedBy):
        return answers.refuse(workload, answer, verdict.message, verdict.reason)
    if entries.address(workload.workload.registration) is None:
        over = workload.workload.registration.settings.connected_over
        return answers.refuse(
            workload, answer, f"host.addresses: none of type {over}, which settings.connectedOver asks for"
        )
    return (CreateWar(wars.manifest(workload, verdict.group)),)


def _keep(workload: Workload, answer: Answered | None, observed: Observed, war: War, now: datetime) -> Plan:
    """Plan for a workload with a WAR."""
    spec = war.spec
    if spec is None:  # pragma: no cover - it would not be of this workload
        raise AssertionError("a WAR of a workload has a spec")
    if expelled(workload, observed.group, observed.policies) is not None:
        return (DeleteWar(war.namespace, war.name, war.uid, war.resource_version),)
    if spec.registration != workload.workload.registration:
        return (UpdateWar(wars.with_registration(war, workload)),)
    writes = _status(workload, observed, war, spec, now)
    entry = observed.entry
    if entry is not None and not entry.ours:
        taken = f"the WorkloadEntry {entry.name} exists, and Muster did not make it"
        return (*writes, *answers.refuse_newcomer(workload, answer, taken))
    if entry is not None and entry.deleting:
        return writes
    if endpoint := _entry(workload, war, spec, entry, doubted=observed.doubted):
        # The session is told when peers can reach it: of an entry that is there, and has its health.
        return (*writes, *endpoint)
    return (*writes, *answers.register(workload, answer, war, spec))


def _status(workload: Workload, observed: Observed, war: War, spec: WarSpec, now: datetime) -> Plan:
    twin = duplicates.message(observed.duplicate, workload, now)
    # Who is unknown is not about to lose anything.
    doubted = fleet.WORDS if observed.doubted and workload.presence is not Presence.UNKNOWN else None
    context = wars.Context(observed.group, observed.policies, twin, doubted)
    status = wars.wanted_status(workload, war, spec.workload_group, context, now)
    return () if status == war.status else (UpdateStatus(wars.with_status(war, status)),)


def _entry(workload: Workload, war: War, spec: WarSpec, entry: Entry | None, *, doubted: bool) -> Plan:
    wanted = entries.manifest(war, spec)
    if wanted is None:
        return ()
    if entry is None:
        return (CreateEntry(wanted),)
    if (marked := health.of_workload(entry, workload, doubted=doubted)) is not None:
        return (marked,)
    merged = entries.merged(entry, wanted)
    return () if merged is None else (UpdateEntry(merged),)


def _remove(workload: Workload, answer: Answered | None, observed: Observed, now: datetime) -> Plan:
    war, own = observed.war, observed.endpoint
    if war is not None and observed.doubted:
        return _suspend(workload, answer, observed, war, now)
    if war is not None:
        if own is not None and (marked := health.of_workload(own, workload)) is not None:
            # A removal waits for its turn; traffic does not.
            return (marked,)
        if war.spec is None:  # pragma: no cover - it would not be of this workload
            raise AssertionError("a WAR of a workload has a spec")
        # Kept before it is deleted: what was removed by mistake can be brought back (ADR 0009).
        kept = KeepRemoval(undo.removal(workload, war.uid, war.spec))
        return (
            kept,
            DeleteWar(war.namespace, war.name, war.uid, war.resource_version),
        )
    return answers.end(workload, answer, EndReason.GRACE_EXPIRED)


def _suspend(workload: Workload, answer: Answered | None, observed: Observed, war: War, now: datetime) -> Plan:
    """Leave a removed workload what it has: with so many others silent, it may well be alive.

    Its session is over for the processor all the same, and is told so: if it is alive it begins another one.
    """
    if war.spec is None:  # pragma: no cover - it would not be of this workload
        raise AssertionError("a WAR of a workload has a spec")
    own = observed.endpoint
    marked = health.of_workload(own, workload, doubted=True) if own is not None else None
    given_back: Plan = () if marked is None else (marked,)
    ended = answers.end(workload, answer, EndReason.GRACE_EXPIRED)
    return (*_status(workload, observed, war, war.spec, now), *given_back, *ended)
