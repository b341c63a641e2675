"""Whose word counts in the log beside that of the agents: the keys of processors and of operators (ADR 0014)."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.identity.core import signatures
from services.identity.core.verdict import RefusedError


@dataclass(frozen=True, slots=True)
class Keys:
    """Ed25519 public keys, in base64, as a trust bundle lists them."""

    processors: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    control: bool = False
    """Whether every control record must be signed; else only what STS said of roles."""

    def of_operators(self) -> tuple[str, ...]:
        """Return the keys that may give orders: the processors' where no others are listed."""
        return self.operators or self.processors


def vouched(keys: Sequence[str], statement: bytes, signature: str) -> bool:
    """Tell whether one of the keys signed the statement. Total: whatever the texts, it never raises."""
    try:
        raw = signatures.from_base64(signature, "signature")
    except RefusedError:
        return False
    return any(_verifies(key, statement, raw) for key in keys)


def _verifies(key: str, statement: bytes, raw: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(signatures.from_base64(key, "key")).verify(raw, statement)
    except (InvalidSignature, RefusedError, ValueError):
        return False
    return True
