"""What a write of the sink came to, as it is told in ``muster.actions``: from the object before and after it; pure."""

from typing import Any

from schemas import resource
from schemas.actions import Said, Verb, Written
from schemas.attempts import AttemptStatus
from schemas.names import WorkloadKey
from schemas.workloads import Workload
from services.sink.core.actions import (
    CreateEntry,
    CreateWar,
    DeleteEntry,
    DeleteWar,
    UpdateEntryStatus,
    UpdateStatus,
    Write,
)
from services.sink.core.attempt import Attempt, claimed
from services.sink.core.health import HEALTHY, gets_traffic
from services.sink.core.objects import Manifest

ENTRY = "WorkloadEntry"


def wrote(step: Write, before: Manifest | None, made: Manifest, workload: Workload | None) -> Written:
    """Return what a write made of an object; ``workload`` is the state it was planned from, None if forgotten."""
    verb = Verb.UPDATE
    if isinstance(step, CreateWar | CreateEntry):
        verb = Verb.CREATE
    elif isinstance(step, UpdateStatus | UpdateEntryStatus):
        verb = Verb.STATUS
    return Written(action=verb, **_object(made), conditions=_changed(before, made), **_tells_of(workload))


def deleted(step: DeleteWar | DeleteEntry, workload: Workload | None) -> Written:
    """Return which version of an object was deleted."""
    kind = resource.KIND if isinstance(step, DeleteWar) else ENTRY
    return Written(action=Verb.DELETE, kind=kind, **step._asdict(), **_tells_of(workload))


def attempt_wrote(verb: Verb, item: Manifest) -> tuple[WorkloadKey, Written] | None:
    """Return whose attempt was written, and what; ``item`` is as it is stored, or was. None where it is not ours."""
    found = Attempt.of(item)
    if found is None:
        return None
    key = WorkloadKey(item["metadata"]["namespace"], found.spec.workload_group, claimed(found.spec))
    return key, Written(action=verb, **_object(item), **_refused(found.status))


def _object(item: Manifest) -> dict[str, Any]:
    about = item["metadata"]
    return {
        "kind": item["kind"],
        "namespace": about["namespace"],
        "name": about["name"],
        "uid": about["uid"],
        "resource_version": about["resourceVersion"],
    }


def _tells_of(workload: Workload | None) -> dict[str, Any]:
    if workload is None:
        return {}
    return {
        "partition": workload.partition,
        "revision": workload.revision,
        "session": workload.session,
        "presence": workload.presence,
        "reason": workload.reason,
    }


def _refused(status: AttemptStatus) -> dict[str, Any]:
    return {
        "partition": status.partition,
        "revision": status.revision,
        "session": status.session,
        "reason": status.reason,
    }


def _changed(before: Manifest | None, after: Manifest) -> tuple[Said, ...]:
    known = _conditions(before) if before is not None else ()
    said = tuple(one for one in _conditions(after) if one not in known)
    if said or before is None or after["kind"] != ENTRY or gets_traffic(before) is gets_traffic(after):
        return said
    # An annotation without a condition: istiod takes the entry for unhealthy all the same.
    return (Said(type=HEALTHY, status=str(gets_traffic(after)), reason="HealthChecksEnabled"),)


def _conditions(item: Manifest) -> tuple[Said, ...]:
    """Return the conditions; an entry's are also written by istiod, and need not have a reason."""
    found = (item.get("status") or {}).get("conditions") or ()
    return tuple(
        Said(
            type=str(one.get("type"))[:80],
            status=str(one.get("status"))[:80],
            reason=str(one.get("reason") or "-")[:80],
        )
        for one in found
    )
