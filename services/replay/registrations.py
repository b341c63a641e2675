"""WorkloadAutoRegistrations as a replay sees them: what each says of its workload, and what it should say; values only.

A WAR names the record it tells of (``status.partition`` and ``status.revision``): that is where it is compared.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from schemas.message import rfc3339
from schemas.names import WorkloadKey
from schemas.registrations import Answer, Ended, Refused
from schemas.resource import Condition, ConditionType, WarSpec, WarStatus
from schemas.workloads import Presence, Workload
from services.replay.comparing import Fields, Seen, View, flat

NAME = "the WorkloadAutoRegistrations"
_CONNECTED = {
    Presence.CONNECTED: "True",
    Presence.UNKNOWN: "Unknown",
    Presence.ABSENT: "False",
    Presence.REMOVED: "False",
}


class Registrations(NamedTuple):
    """What Kubernetes holds, by the workload's key."""

    seen: dict[bytes, Seen]
    labels: dict[bytes, dict[str, str]]
    unreadable: list[str]
    """Names of those that cannot be understood."""


def registrations(manifests: Iterable[Mapping[str, Any]]) -> Registrations:
    """Read manifests of WARs."""
    found = Registrations({}, {}, [])
    for manifest in manifests:
        metadata = manifest["metadata"]
        try:
            spec = WarSpec.model_validate(manifest.get("spec"))
            status = WarStatus.model_validate(manifest.get("status") or {})
        except ValidationError:
            found.unreadable.append(f"{metadata['namespace']}/{metadata['name']}")
            continue
        identity = metadata["name"].removeprefix(f"{spec.workload_group.name}-")
        key = WorkloadKey(metadata["namespace"], spec.workload_group.name, identity).to_bytes()
        revision = -1 if status.revision is None else status.revision
        found.seen[key] = Seen(status.partition or 0, revision, _of_war(spec, status))
        found.labels[key] = metadata.get("labels") or {}
    return found


def registration_view(found: Registrations, answers: Mapping[bytes, Answer]) -> View:
    """Return what Kubernetes holds; ``answers``, the sink's newest to each workload, say why one has no WAR."""

    def excused(key: bytes, state: Workload) -> bool:
        answer = answers.get(key)
        answered = answer is not None and answer.session == state.session
        if state.presence is Presence.ABSENT and not answered:
            return True  # it was gone before the sink came to register it
        return state.presence is Presence.REMOVED or (answered and isinstance(answer, Refused | Ended))

    return View(NAME, found.seen, war_fields, excused)


def war_fields(state: Workload) -> Fields:
    """Return what a WAR should say of a state."""
    condition = {
        "status": _CONNECTED[state.presence],
        "reason": str(state.reason),
        "message": state.message,
        "lastTransitionTime": rfc3339(state.since),
    }
    return _fields(state.session, state.partition, state.revision, condition, _who(state.workload))


def _of_war(spec: WarSpec, status: WarStatus) -> Fields:
    told = next((one for one in status.conditions if one.type is ConditionType.AGENT_CONNECTED), None)
    return _fields(status.session, status.partition, status.revision, _condition(told), _who(spec))


def _condition(told: Condition | None) -> dict[str, str]:
    if told is None:
        return {}
    moment = rfc3339(told.last_transition_time)
    return {"status": told.status, "reason": told.reason, "message": told.message, "lastTransitionTime": moment}


def _who(told: Any) -> dict[str, Any]:  # noqa: ANN401 - a WAR's spec or an introduction: both say these two
    return {
        "identity": told.identity.model_dump(mode="json", exclude_none=True),
        "registration": told.registration.model_dump(mode="json", exclude_none=True),
    }


def _fields(
    session: str | None, partition: int | None, revision: int | None, condition: dict[str, str], who: dict[str, Any]
) -> Fields:
    status = {"session": session, "partition": partition, "revision": revision}
    return dict(flat("", {"status": status, "AgentConnected": condition, "spec": who}))
