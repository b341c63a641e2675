"""Whether a processor signed what it says STS said: agents may write to the same topic (ADR 0010)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.events import RoleChecked
from services.identity.core import signatures
from services.identity.core.bundle import TrustBundle
from services.identity.core.verdict import RefusedError


def signed(bundle: TrustBundle, checked: RoleChecked, partition: int) -> bool:
    """Tell whether one of the bundle's processors signed the outcome of a role check, for this partition."""
    statement = checked.statement(partition)
    for key in bundle.processors:
        try:
            raw = signatures.from_base64(checked.signature, "signature")
            Ed25519PublicKey.from_public_bytes(signatures.from_base64(key, "key")).verify(raw, statement)
        except (InvalidSignature, RefusedError, ValueError):
            continue
        return True
    return False
