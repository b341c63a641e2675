"""Signing what speaks for a processor or an operator, with a key of one's own (ADR 0014)."""

import base64
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from schemas.events import Control
from services.runtime.config import ConfigError

E = TypeVar("E", bound=Control)


class Signer:
    """A key, and what is signed with it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> str:
        """What stands among ``processors`` or ``operators`` of a trust bundle that believes in this key."""
        return base64.b64encode(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def signed(self, event: E, partition: int) -> E:
        """Return the record as it may be appended to this partition."""
        signature = base64.b64encode(self._key.sign(event.statement(partition))).decode()
        return event.model_copy(update={"signature": signature})


def signer(file: Path | None, setting: str) -> Signer | None:
    """Return what signs with the key in a file; None where there is none. Raises ConfigError, about ``setting``."""
    if file is None:
        return None
    how = "make one with: openssl genpkey -algorithm ed25519 -out FILE"
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except OSError as cause:
        raise ConfigError(f"{setting}: {file}: {cause.strerror}; {how}") from cause
    except (ValueError, TypeError) as cause:
        raise ConfigError(f"{setting}: {file}: no private key without a password: {cause}; {how}") from cause
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{setting}: {file}: not an Ed25519 key; {how}")
    return Signer(key)
