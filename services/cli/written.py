"""One write of the sink in words."""

from schemas import attempts, resource
from schemas.actions import Verb, Written

_SHORT = {resource.KIND: resource.SHORT_NAME, attempts.KIND: attempts.SHORT_NAME, "WorkloadEntry": "entry"}
_NOUN = {Verb.CREATE: "creation", Verb.UPDATE: "update", Verb.STATUS: "status", Verb.DELETE: "deletion"}


def write_words(written: Written) -> str:
    """Return what was written, what it says, and which version of the object says so."""
    what = f"{_NOUN[written.action]} of {_SHORT.get(written.kind, written.kind)} {written.namespace}/{written.name}"
    version = f"resourceVersion {written.resource_version}"
    if written.action is Verb.DELETE:
        version = f"at {version}"
    state = f"of the state at {written.partition}:{written.revision}" if written.revision is not None else ""
    return f"{what}: {', '.join(part for part in (_said(written), version, state) if part)}"


def _said(written: Written) -> str:
    if written.conditions:
        return ", ".join(f"{one.type} {one.status} ({one.reason})" for one in written.conditions)
    if written.presence is None:
        return written.reason or ""
    return f"{written.presence} ({written.reason})"
