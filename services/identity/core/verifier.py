"""What a credential of any kind proves, by a trust bundle, at a broker time."""

from datetime import datetime

from pydantic import ValidationError

from schemas.credentials import Credential, CredentialReason, Verified
from schemas.identity import Identity
from schemas.message import complaint
from services.identity.core import ec2, tokens
from services.identity.core.bundle import TrustBundle
from services.identity.core.verdict import Accepted, Refusal, RefusedError

LONGEST_MESSAGE = 800


def verify(bundle: TrustBundle, credential: Credential, claimed: Identity, at: datetime) -> Accepted | Refusal:
    """Return what the credential proves at the broker time ``at``, if it is what is claimed.

    Total: whatever the bytes, it never raises.
    """
    found = prove(bundle, credential, at)
    if isinstance(found, Accepted) and found.identity.name != claimed.name:
        words = f"it proves to be {found.identity.name}, and claims to be {claimed.name}"
        return _printable(Refusal(CredentialReason.IDENTITY_MISMATCH, words))
    return found


def prove(bundle: TrustBundle, credential: Credential, at: datetime) -> Accepted | Refusal:
    """Return what the credential proves, whoever shows it. Total as well."""
    try:
        identity, method, key = _proven(bundle, credential, at)
        verified = Verified.model_validate({"method": method, "key": key, "bundle": bundle.digest, "at": at})
    except RefusedError as refused:
        return _printable(refused.refusal)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        words = f"{'.'.join(map(str, fault['loc']))}: {complaint(fault)}"
        return _printable(Refusal(CredentialReason.CLAIM_MISSING, words))
    return Accepted(identity, verified)


def _printable(refusal: Refusal) -> Refusal:
    """Bound the words, and escape what a stranger's claims may hold: they go into logs, records and objects."""
    words = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in refusal.message[:LONGEST_MESSAGE])
    return refusal._replace(message=words)


def _proven(bundle: TrustBundle, credential: Credential, at: datetime) -> tuple[Identity, str, str]:
    if credential.ec2 is not None:
        return ec2.verify(bundle, credential.ec2, at)
    if credential.jwt is not None:
        return tokens.verify_jwt(bundle, credential.jwt.issuer, credential.jwt.token, at)
    if credential.gcp is not None:
        return tokens.verify_gcp(bundle, credential.gcp.token, at)
    if credential.azure is not None:
        return tokens.verify_azure(bundle, credential.azure.token, at)
    raise AssertionError("a credential has exactly one kind")  # pragma: no cover - its model says so
