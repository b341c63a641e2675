"""Credentials as people have them in files: an agent's identity file, a credential of the wire, or a whole event."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError

from schemas.credentials import Credential
from schemas.identity import Identity
from schemas.message import complaint

LONGEST = 256 * 1024
"""Bytes; an event has 64 KiB at most."""


class NoCredentialError(Exception):
    """There is no credential in it; the text says where, what was found and what was expected."""


class Shown(NamedTuple):
    """A credential, and who shows it, where that is told beside it."""

    credential: Credential
    claimed: Identity | None = None
    session: str | None = None
    """In which session, where an event tells that."""


class _Part(BaseModel):
    identity: Identity | None = None
    session: str | None = None


def read(file: str) -> Shown:
    """Return what a file, or stdin for ``-``, shows. Raises NoCredentialError."""
    try:
        raw = sys.stdin.buffer.read(LONGEST + 1) if file == "-" else _bounded(Path(file))
        if len(raw) > LONGEST:
            raise NoCredentialError(f"{file}: more than {LONGEST} bytes; expected one credential")
        content = yaml.safe_load(raw.decode())
    except OSError as cause:
        raise NoCredentialError(f"{file}: {cause.strerror}") from cause
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as cause:
        raise NoCredentialError(f"{file}: neither JSON nor YAML: {cause}") from cause
    if not isinstance(content, dict):
        raise NoCredentialError(f"{file}: expected a credential, an identity file or an event; found {content!r:.60}")
    return _shown(file, content)


def _bounded(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LONGEST + 1)


def _shown(file: str, content: dict[str, Any]) -> Shown:
    """Find the credential in an event (``proof``), in an identity file (``credential``), or in its own shape."""
    proof, workload = content.get("proof"), content.get("workload")
    if isinstance(proof, dict):
        content = {**(workload if isinstance(workload, dict) else {}), **proof, "session": content.get("session")}
    told = content.get("credential", content)
    try:
        beside = _Part.model_validate(content)
        return Shown(Credential.model_validate(told), beside.identity, beside.session)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'credential'}: {complaint(fault)}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise NoCredentialError(f"{file}: not a credential: {faults}") from None
