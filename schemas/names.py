"""Keys of records and names of Kubernetes objects: what is valid, and how they are built.

A key is ``<namespace>/<group>/<workload-identity>`` in bytes; an object's name is
``<group>-<workload-identity>``. Kubernetes' rules: RFC 1123 label (63) for namespaces, RFC 1123 subdomain (253)
for names (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
"""

import re
from typing import NamedTuple

MAX_NAME = 253
MAX_NAMESPACE = 63
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

CONTROL_KEY = b"#roll-call"
"""Key of the processor's own records in ``muster.events``: no workload's key can begin with ``#``."""


class WorkloadKey(NamedTuple):
    """The parts of a record key."""

    namespace: str
    group: str
    identity: str

    @property
    def war_name(self) -> str:
        """Name of the WorkloadAutoRegistration, and of the WorkloadEntry it owns."""
        return f"{self.group}-{self.identity}"

    def to_bytes(self) -> bytes:
        """Return the record key."""
        return f"{self.namespace}/{self.group}/{self.identity}".encode()

    def fault(self) -> str | None:
        """Say why Kubernetes would not take these names, or None if it would."""
        if len(self.namespace) > MAX_NAMESPACE or not _LABEL.fullmatch(self.namespace):
            return f"namespace {_short(self.namespace)} is not an RFC 1123 label of at most {MAX_NAMESPACE} characters"
        if not _SUBDOMAIN.fullmatch(self.group):
            return f"workload group {_short(self.group)} is not an RFC 1123 subdomain"
        if len(self.war_name) > MAX_NAME:
            return f"the name {_short(self.war_name)} has {len(self.war_name)} characters; Kubernetes allows {MAX_NAME}"
        if not _SUBDOMAIN.fullmatch(self.war_name):
            return f"the name {_short(self.war_name)} is not an RFC 1123 subdomain"
        return None


def parse_key(raw: bytes) -> WorkloadKey | None:
    """Return the parts of a record key, or None where it has not the three of them."""
    try:
        parts = raw.decode().split("/")
    except UnicodeDecodeError:
        return None
    if len(parts) != len(WorkloadKey._fields) or not all(parts):
        return None
    return WorkloadKey(*parts)


def _short(text: str) -> str:
    """Quote a name that may be of any length or content."""
    limit = 80
    return repr(text if len(text) <= limit else text[:limit] + "…")
