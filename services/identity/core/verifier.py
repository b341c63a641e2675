"""What a credential of any kind proves, by a trust bundle, at a broker time."""

from datetime import datetime

from pydantic import ValidationError

from schemas.credentials import Credential, CredentialReason, Verified
from schemas.identity import Identity
from schemas.message import complaint
from services.identity.core import ec2, tokens
from services.identity.core.bundle import TrustBundle
from services.identity.core.jws import Shown
from services.identity.core.verdict import Accepted, Refusal, RefusedError

LONGEST_MESSAGE = 800


def verify(
    bundle: TrustBundle, credential: Credential, claimed: Identity, at: datetime, session: str
) -> Accepted | Refusal:
    """Return what the credential proves at the broker time ``at``, if it is what is claimed by this session.

    Total: whatever the bytes, it never raises.
    """
    return _judged(bundle, credential, claimed, at, session)


def prove(bundle: TrustBundle, credential: Credential, at: datetime, session: str | None = None) -> Accepted | Refusal:
    """Return what the credential proves, whoever shows it; without ``session``, in whichever. Total as well."""
    return _judged(bundle, credential, None, at, session)


def _judged(
    bundle: TrustBundle, credential: Credential, claimed: Identity | None, at: datetime, session: str | None
) -> Accepted | Refusal:
    try:
        identity, method, key = _proven(bundle, credential, Shown(at, session))
        if claimed is not None and identity.name != claimed.name:
            words = f"it proves to be {identity.name}, and claims to be {claimed.name}"
            return _printable(Refusal(CredentialReason.IDENTITY_MISMATCH, words))
        verified = Verified.model_validate({"method": method, "key": key, "bundle": bundle.digest, "at": at})
    except RefusedError as refused:
        return _printable(refused.refusal)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        words = f"{'.'.join(map(str, fault['loc']))}: {complaint(fault)}"
        return _printable(Refusal(CredentialReason.CLAIM_MISSING, words))
    except MemoryError:
        raise  # it says something of this process, and nothing of the credential
    except Exception as cause:  # noqa: BLE001 - see below
        # Anybody who may write an event chooses these bytes, and the parsers are not ours. What one of them raises that
        # nobody thought of would end every owner of the partition, again and again, at the same record. Only the kind
        # of the fault is told: its words may hold addresses in memory, and a replay has to say the same.
        return _printable(Refusal(CredentialReason.MALFORMED, f"it cannot be read: {type(cause).__name__}"))
    return Accepted(identity, verified)


def _printable(refusal: Refusal) -> Refusal:
    """Bound the words, and escape what a stranger's claims may hold: they go into logs, records and objects."""
    words = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in refusal.message[:LONGEST_MESSAGE])
    return refusal._replace(message=words)


def _proven(bundle: TrustBundle, credential: Credential, shown: Shown) -> tuple[Identity, str, str]:
    if credential.ec2 is not None:
        return ec2.verify(bundle, credential.ec2, shown.at)
    if credential.jwt is not None:
        return tokens.verify_jwt(bundle, credential.jwt.issuer, credential.jwt.token, shown)
    if credential.gcp is not None:
        return tokens.verify_gcp(bundle, credential.gcp.token, shown)
    if credential.azure is not None:
        return tokens.verify_azure(bundle, credential.azure.token, shown)
    raise AssertionError("a credential has exactly one kind")  # pragma: no cover - its model says so
