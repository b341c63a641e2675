"""Istio's health of a WorkloadEntry: endpoints of the dead get no traffic, long before they are removed.

istiod leaves an entry with the annotation out of every proxy's endpoints unless its condition ``Healthy`` is True
(``isHealthy`` in istiod's serviceentry controller). Where istiod itself writes that condition, from the probe of the
sidecar, it stays istiod's while the agent is connected: the sink only takes away what an absent agent cannot answer
for, and gives back only what it took.
"""

from datetime import datetime
from typing import Any, NamedTuple

from schemas.message import rfc3339
from schemas.workloads import Presence, Workload
from services.sink.core.fleet import WORDS
from services.sink.core.objects import Entry

CHECKED = "proxy.istio.io/health-checks-enabled"
"""The annotation by which istiod looks at the condition; a group whose template says "false" to it opts out."""

HEALTHY = "Healthy"
_CONNECTED, _ABSENT, _RESTORED = "AgentConnected", "AgentNotConnected", "RestoredByOperator"
_DOUBTED = "FleetSilent"
_OURS = (_CONNECTED, _ABSENT, _RESTORED, _DOUBTED)


class _Wanted(NamedTuple):
    healthy: bool
    reason: str
    message: str
    since: datetime


def of_workload(entry: Entry, workload: Workload, *, doubted: bool = False) -> dict[str, Any] | None:
    """Return the entry with the health its agent's presence gives it, or None where it has that.

    While nobody can tell (``unknown``) an endpoint stays what it is: the observer is cut off, not the fleet. Where so
    much of the fleet is silent that this is ``doubted`` (``core.fleet``), what was taken is given back as well.
    """
    said = _said(entry)
    if doubted and workload.presence is not Presence.CONNECTED:
        if said and said.get("reason") != _ABSENT:
            return None
        return _with(entry, _Wanted(healthy=True, reason=_DOUBTED, message=WORDS, since=workload.since))
    if workload.presence in (Presence.ABSENT, Presence.REMOVED):
        if said.get("status") == "False":
            return None
        return _with(entry, _Wanted(healthy=False, reason=_ABSENT, message=workload.message, since=workload.since))
    taken = said.get("reason") in (_ABSENT, _DOUBTED) and workload.presence is Presence.CONNECTED
    if said and not taken:
        return None
    return _with(entry, _Wanted(healthy=True, reason=_CONNECTED, message=workload.message, since=workload.since))


def of_restored(entry: Entry, who: str, since: datetime) -> dict[str, Any] | None:
    """Return an entry that ``who`` has brought back as healthy, or None where it is, or where istiod says otherwise."""
    said = _said(entry)
    if said and (said.get("status") == "True" or said.get("reason") not in _OURS):
        return None
    return _with(entry, _Wanted(healthy=True, reason=_RESTORED, message=f"brought back by {who}", since=since))


def _said(entry: Entry) -> dict[str, Any]:
    return next((dict(one) for one in _conditions(entry) if one.get("type") == HEALTHY), {})


def _conditions(entry: Entry) -> list[dict[str, Any]]:
    return list((entry.manifest.get("status") or {}).get("conditions") or ())


def _with(entry: Entry, wanted: _Wanted) -> dict[str, Any]:
    condition = {
        "type": HEALTHY,
        "status": str(wanted.healthy),
        "reason": wanted.reason,
        "message": wanted.message,
        "lastTransitionTime": rfc3339(wanted.since),
    }
    others = [one for one in _conditions(entry) if one.get("type") != HEALTHY]
    return {
        **entry.manifest,
        "status": {**(entry.manifest.get("status") or {}), "conditions": [*others, condition]},
    }
