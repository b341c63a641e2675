"""What a redacted recording has in a credential's place: what the credential proved, by each trust bundle at hand.

Verdicts depend on credentials, and a redacted one could not be verified any more. So it is verified before it is
hidden; a replay takes the outcome for the bundle that the log names, and where there is none, says so.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from schemas.codec import decode_event
from schemas.credentials import (
    Credential,
    CredentialReason,
    Ec2Credential,
    JwtCredential,
    StsRequest,
    Verified,
)
from schemas.events import Connect, Heartbeat
from schemas.identity import Identity
from schemas.message import instant
from services.identity.core.bundle import TrustBundle
from services.identity.core.keys import Keys
from services.identity.core.verdict import Accepted, Refusal
from services.identity.given import GivenBundles, UnknownBundleError
from services.processor.core.record import Appended
from services.replay.lines import shortest

ISSUER = "redacted by muster record"


class Attestor:
    """Verifies what is about to be hidden."""

    def __init__(self, bundles: Sequence[TrustBundle]) -> None:
        self._digests = [bundle.digest for bundle in bundles]
        self._given = GivenBundles(bundles)

    def attested(self, record: Appended) -> dict[str, Any] | None:
        """Return an event with the outcomes in the credential's place; None: it shows no credential."""
        event = decode_event(record.key, record.value)
        if not isinstance(event, Connect | Heartbeat) or event.proof is None or event.workload is None:
            return None
        credential, claimed, at = event.proof.credential, event.workload.identity, instant(record.timestamp)
        told = {
            digest: _told(self._given.verify(digest, credential, claimed, at, event.session))
            for digest in self._digests
        }
        body: dict[str, Any] = json.loads(record.value or b"")
        hidden = _hidden(shortest(told).decode(), role=credential.iam_role is not None)
        body["proof"]["credential"] = hidden.model_dump(mode="json", exclude_none=True, by_alias=True)
        return body


def _hidden(told: str, *, role: bool) -> Credential:
    """Return a credential with outcomes in it; one that claimed a role still does, for that decides as well."""
    if role:
        return Credential(ec2=Ec2Credential(document=told), iam_role=StsRequest(url=ISSUER))
    return Credential(jwt=JwtCredential(issuer=ISSUER, token=told))


def _outcomes(shown: Credential) -> str:
    if shown.jwt is not None and shown.jwt.issuer == ISSUER:
        return shown.jwt.token
    hidden = shown.ec2 is not None and shown.iam_role is not None and shown.iam_role.url == ISSUER
    return shown.ec2.document if hidden and shown.ec2 is not None else "{}"


class Attested:
    """Takes the outcomes of a redacted recording for what they say."""

    def __init__(self, bundles: GivenBundles) -> None:
        """``bundles`` are those whose keys judge what processors and operators signed: that is not hidden."""
        self._bundles = bundles

    def verify(
        self, bundle: str, credential: Credential, claimed: Identity, at: datetime, session: str
    ) -> Accepted | Refusal:
        """Return what it came to by the bundle of this digest. Raises UnknownBundleError where nobody knows."""
        del claimed, at, session  # as they were then
        try:
            told = json.loads(_outcomes(credential))[bundle]
            if "refused" in told:
                return Refusal(CredentialReason(told["refused"]), told["message"])
            return Accepted(Identity.model_validate(told["identity"]), Verified.model_validate(told["verified"]))
        except (KeyError, TypeError, ValueError, ValidationError):
            raise UnknownBundleError(
                f"the recording is redacted, and does not say what its credentials proved by {bundle}, the "
                "trust bundle that the log names: record it again, with that --bundle"
            ) from None

    def keys(self, bundle: str) -> Keys:
        """Return whose word counts by the bundle of this digest; nobody's in particular, where it was not given.

        The credentials it was not given for raise in ``verify``, so that no verdict comes of that.
        """
        try:
            return self._bundles.keys(bundle)
        except UnknownBundleError:
            return Keys()

    def vouched(self, keys: Sequence[str], statement: bytes, signature: str) -> bool:
        """Tell whether one of the keys signed the statement."""
        return self._bundles.vouched(keys, statement, signature)


def _told(found: Accepted | Refusal) -> dict[str, Any]:
    if isinstance(found, Refusal):
        return {"refused": found.reason, "message": found.message}
    plain: dict[str, Any] = {"mode": "json", "exclude_none": True}
    return {"identity": found.identity.model_dump(**plain), "verified": found.verified.model_dump(**plain)}
