"""The WorkloadAutoRegistration that is wanted of a workload: its manifest, and its status with the conditions.

Times are the log's (``since``) where the log has one. ``now`` is handed in, only shown, and only where a condition
that the log knows nothing of changes: so what is there already is wanted again, and a steady state writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from schemas import resource
from schemas.message import rfc3339
from schemas.resource import Condition, ConditionType, GroupSnapshot, WarSpec, WarStatus
from schemas.workloads import Presence, Reason, Workload
from services.sink.core.admission import Said, permission, verification
from services.sink.core.objects import ISTIO_API, MANAGED_BY, WAR_API, Group, War, owner_reference
from services.sink.core.policy import Policy
from services.sink.core.snapshot import current, snapshot

_CONNECTED: dict[Presence, Literal["True", "False", "Unknown"]] = {
    Presence.CONNECTED: "True",
    Presence.UNKNOWN: "Unknown",
    Presence.ABSENT: "False",
    Presence.REMOVED: "False",
}


def manifest(workload: Workload, group: Group) -> dict[str, Any]:
    """Return the object to create for a workload that joins ``group`` as it is now."""
    key = workload.workload.key
    spec = WarSpec(
        identity=workload.workload.identity,
        registration=workload.workload.registration,
        workload_group=snapshot(group),
    )
    return {
        "apiVersion": WAR_API,
        "kind": resource.KIND,
        "metadata": {
            "namespace": key.namespace,
            "name": key.war_name,
            "labels": dict([MANAGED_BY]),
            "ownerReferences": [owner_reference(ISTIO_API, "WorkloadGroup", group.name, group.uid)],
        },
        "spec": spec.model_dump(mode="json", exclude_none=True),
    }


def with_registration(war: War, workload: Workload) -> dict[str, Any]:
    """Return the object with what the agent reports now; identity and snapshot stay as they are."""
    registration = workload.workload.registration.model_dump(mode="json", exclude_none=True)
    return {**war.manifest, "spec": {**war.manifest["spec"], "registration": registration}}


def with_status(war: War, status: WarStatus) -> dict[str, Any]:
    """Return the object with this status, in the API's words."""
    content = status.model_dump(mode="json", exclude_none=True)
    for told, condition in zip(content["conditions"], status.conditions, strict=True):
        told["lastTransitionTime"] = rfc3339(condition.last_transition_time)
    return {**war.manifest, "status": content}


class Context(NamedTuple):
    """What a WAR's status tells of beside its workload."""

    group: Group | None
    policies: Sequence[Policy] = ()
    duplicate: str | None = None
    """What to say of another machine that shows the same identity."""
    doubted: str | None = None
    """What to say where the silence of the workload is held against its observer."""


def wanted_status(workload: Workload, war: War, taken: GroupSnapshot, context: Context, now: datetime) -> WarStatus:
    """Return the status a WAR should have; ``now`` is when a condition changed of which the log knows no time."""
    connected = Condition(
        type=ConditionType.AGENT_CONNECTED,
        status=_CONNECTED[workload.presence],
        reason=workload.reason,
        message=workload.message,
        last_transition_time=_millis(workload.since),
        observed_generation=war.generation,
    )
    verified = _said(ConditionType.IDENTITY_VERIFIED, verification(workload.verified), war, now)
    current_group = _said(ConditionType.GROUP_CURRENT, _group_current(taken, context.group), war, now)
    allowed = _said(ConditionType.ALLOWED, permission(workload, context.group, context.policies), war, now)
    # Absent where there is none: that saves every WAR a condition which hardly any ever has.
    passing = (
        (ConditionType.DUPLICATE_IDENTITY, "IdentityShownTwice", context.duplicate),
        (ConditionType.REMOVAL_SUSPENDED, "FleetSilent", context.doubted),
    )
    shown = (_said(kind, Said("True", reason, words), war, now) for kind, reason, words in passing if words is not None)
    return WarStatus(
        conditions=(connected, verified, current_group, allowed, *shown),
        session=workload.session,
        partition=workload.partition,
        revision=workload.revision,
        verified=workload.verified,
    )


def said_goodbye(war: War) -> bool:
    """Whether the last that a WAR says of its agent is that it left on purpose."""
    said = war.status.conditions if war.status is not None else ()
    return any(one.type is ConditionType.AGENT_CONNECTED and one.reason == Reason.DISCONNECTED for one in said)


def _group_current(taken: GroupSnapshot, group: Group | None) -> Said:
    if group is None:
        return Said("False", "WorkloadGroupNotFound", f"the WorkloadGroup {taken.name} is gone")
    if current(taken, group):
        return Said("True", "WorkloadGroupUnchanged", "")
    # Without the group's present generation: that would be a write for every further edit.
    words = (
        f"the workload joined with generation {taken.generation} of the WorkloadGroup, which was changed since; "
        "delete this object to have it join anew"
    )
    return Said("False", "WorkloadGroupChanged", words)


def _said(kind: ConditionType, said: Said, war: War, now: datetime) -> Condition:
    """Return a condition of which the log knows no time: a status that is what it was keeps that of its transition."""
    since = _millis(now)
    for earlier in war.status.conditions if war.status else ():
        if earlier.type is kind and earlier.status == said.status:
            since = earlier.last_transition_time
    return Condition(
        type=kind,
        status=said.status,
        reason=said.reason,
        message=said.message,
        last_transition_time=since,
        observed_generation=war.generation,
    )


def _millis(moment: datetime) -> datetime:
    """Cut to what ``rfc3339`` prints, so that what is read back is equal to what was written."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
