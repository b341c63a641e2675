"""By what the fold verifies identities: the trust bundle which the log names, as a value handed in (ADR 0010)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from schemas.credentials import Credential, CredentialReason
from schemas.events import Connect, Heartbeat
from schemas.identity import Identity
from schemas.message import instant
from services.identity.core.keys import Keys
from services.identity.core.verdict import Accepted, Refusal


class NoTrustError(Exception):
    """The log verifies identities, and no trust bundle was handed in: none of its verdicts can be known."""


class Trust(Protocol):
    """The trust bundles at hand."""

    def keys(self, bundle: str) -> Keys | None:
        """Return whose word counts by the bundle of this digest; None where it is not at hand."""

    def vouched(self, keys: Sequence[str], statement: bytes, signature: str) -> bool:
        """Tell whether one of the keys signed the statement; pure and total."""

    def verify(
        self, bundle: str, credential: Credential, claimed: Identity, at: datetime, session: str
    ) -> Accepted | Refusal:
        """Verify by the bundle of this digest, at a broker time, in this session; pure."""


def judge(trust: Trust | None, bundle: str, event: Connect | Heartbeat, timestamp: int) -> Accepted | Refusal:
    """Say what an event's credential proves at the record's broker time, in milliseconds."""
    if event.workload is None or event.proof is None:
        return Refusal(CredentialReason.MISSING, "the event has no proof; is the agent older than version 0.2?")
    if trust is None:
        raise NoTrustError(f"the log names the trust bundle {bundle}: give it with --bundle")
    claimed = event.workload.identity
    found = trust.verify(bundle, event.proof.credential, claimed, instant(timestamp), event.session)
    if isinstance(found, Accepted) and found.identity.name != claimed.name:
        words = f"it proves to be {found.identity.name}, and claims to be {claimed.name}"
        return Refusal(CredentialReason.IDENTITY_MISMATCH, words)
    return found
