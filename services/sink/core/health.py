"""Istio's health of a WorkloadEntry: endpoints of the dead get no traffic, long before they are removed.

istiod leaves an entry with the annotation out of every proxy's endpoints unless its condition ``Healthy`` is True; one
without the annotation is healthy (``isHealthy`` in istiod's serviceentry controller). So an entry that is created gets
traffic with that one write, and none from the write on that annotates it, which is when its agent is absent first; when
the agent is back the condition says so, and both stay. Where istiod itself writes the condition, from the probe of the
sidecar, it stays istiod's while the agent is there: the sink only takes away what an absent agent cannot answer for,
and gives back only what it took.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from schemas.message import rfc3339
from schemas.workloads import Presence, Workload
from services.sink.core.actions import UpdateEntry, UpdateEntryStatus
from services.sink.core.fleet import WORDS
from services.sink.core.objects import Entry, Manifest

CHECKED = "proxy.istio.io/health-checks-enabled"
"""The annotation by which istiod looks at the condition; a group whose template says "false" to it opts out."""
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
"""What istiod (Go's ParseBool) takes for a yes."""

HEALTHY = "Healthy"
_CONNECTED, _ABSENT, _RESTORED = "AgentConnected", "AgentNotConnected", "RestoredByOperator"
_DOUBTED = "FleetSilent"
_OURS = (_CONNECTED, _ABSENT, _RESTORED, _DOUBTED)


class _Wanted(NamedTuple):
    healthy: bool
    reason: str
    message: str
    since: datetime


def gets_traffic(entry: Manifest) -> bool:
    """Tell whether istiod takes a WorkloadEntry for healthy."""
    return _annotations(entry).get(CHECKED) not in _TRUE or _said(entry).get("status") == "True"


def of_workload(entry: Entry, workload: Workload, *, doubted: bool = False) -> UpdateEntry | UpdateEntryStatus | None:
    """Return the write that brings an entry nearer to the health of its agent's presence, or None where it has that.

    While nobody can tell (``unknown``) an agent that was there counts as there: the observer is cut off, not the fleet.
    Where so much of the fleet is silent that this is ``doubted`` (``core.fleet``), what was taken is given back.
    """
    said, message, since = _said(entry.manifest), workload.message, workload.since
    if doubted and workload.presence is not Presence.CONNECTED:
        if gets_traffic(entry.manifest) or (said and said.get("reason") != _ABSENT):
            return None
        return _with(entry, _Wanted(healthy=True, reason=_DOUBTED, message=WORDS, since=since))
    if workload.presence in (Presence.ABSENT, Presence.REMOVED):
        if said.get("status") == "True":
            return _with(entry, _Wanted(healthy=False, reason=_ABSENT, message=message, since=since))
        # Without a condition: why it is absent the WorkloadAutoRegistration tells, so one write is enough.
        return UpdateEntry(_checked(entry)) if CHECKED not in _annotations(entry.manifest) else None
    if said.get("reason") in (_ABSENT, _DOUBTED) or (not said and not gets_traffic(entry.manifest)):
        return _with(entry, _Wanted(healthy=True, reason=_CONNECTED, message=message, since=since))
    return None


def of_restored(entry: Entry, who: str, since: datetime) -> UpdateEntryStatus | None:
    """Return the write that makes an entry healthy which ``who`` has brought back; None: it is, or istiod says no."""
    said = _said(entry.manifest)
    if gets_traffic(entry.manifest) or (said and said.get("reason") not in _OURS):
        return None
    return _with(entry, _Wanted(healthy=True, reason=_RESTORED, message=f"brought back by {who}", since=since))


def _annotations(entry: Manifest) -> Mapping[str, str]:
    return entry["metadata"].get("annotations") or {}


def _said(entry: Manifest) -> dict[str, Any]:
    return next((dict(one) for one in _conditions(entry) if one.get("type") == HEALTHY), {})


def _conditions(entry: Manifest) -> list[dict[str, Any]]:
    return list((entry.get("status") or {}).get("conditions") or ())


def _checked(entry: Entry) -> dict[str, Any]:
    metadata = {**entry.manifest["metadata"], "annotations": {**_annotations(entry.manifest), CHECKED: "true"}}
    return {**entry.manifest, "metadata": metadata}


def _with(entry: Entry, wanted: _Wanted) -> UpdateEntryStatus:
    condition = {
        "type": HEALTHY,
        "status": str(wanted.healthy),
        "reason": wanted.reason,
        "message": wanted.message,
        "lastTransitionTime": rfc3339(wanted.since),
    }
    others = [one for one in _conditions(entry.manifest) if one.get("type") != HEALTHY]
    status = {**(entry.manifest.get("status") or {}), "conditions": [*others, condition]}
    return UpdateEntryStatus({**entry.manifest, "status": status})
