"""Keys of records and names of Kubernetes objects: what is valid, and how they are built.

A key is ``<namespace>/<group>/<workload-identity>`` in bytes; an object's name is
``<group>-<workload-identity>``. Kubernetes' rules: RFC 1123 label (63) for namespaces, RFC 1123 subdomain (253)
for names (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
"""

import hashlib
import re
from typing import NamedTuple

MAX_NAME = 253
MAX_NAMESPACE = 63
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

_PLAIN = re.compile(r"[a-z0-9]+|(?<=[a-z0-9])[-.](?=[a-z0-9])")
_ESCAPED = re.compile(r"--([0-9a-f]{2})")

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


def cut(name: str, limit: int) -> str:
    """Return a name of at most ``limit`` characters: of a longer one its beginning, kept apart by a digest."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{name[: limit - len(digest) - 1].rstrip('-.')}-{digest}"


def is_name(text: str) -> bool:
    """Tell whether Kubernetes takes a text as an object's name, but for its length."""
    return _SUBDOMAIN.fullmatch(text) is not None


def spelled(text: str) -> str:
    """Return a text as a part of a name: valid there, readable, and nobody else's; ``read_back`` reverses it.

    ``[a-z0-9]`` stay as they are, and ``-`` and ``.`` between two of those; of everything else each UTF-8 byte becomes
    ``--hh`` in lower-case hexadecimal. So three hyphens in a row never stand in a part, nor a hyphen at its end.
    """
    parts: list[str] = []
    place = 0
    for plain in _PLAIN.finditer(text):
        parts += (_escaped(text[place : plain.start()]), plain[0])
        place = plain.end()
    return "".join((*parts, _escaped(text[place:])))


def read_back(part: str) -> str | None:
    """Return the text which ``spelled`` made this part of; None where it made no such part of any."""
    try:
        raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), part).encode("latin-1")
        text = raw.decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return None
    return text if spelled(text) == part else None


def _escaped(text: str) -> str:
    # A lone surrogate is no text; it must not end a program that only wants a name for it.
    return "".join(f"--{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))


def _short(text: str) -> str:
    """Quote a name that may be of any length or content."""
    limit = 80
    return repr(text if len(text) <= limit else text[:limit] + "…")
