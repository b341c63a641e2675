"""What the world's processors believe: a token that says the name which its machine claims. Cheap, and never doubted.

That signatures are verified is shown with real ones elsewhere (tests/unit/identity); here it is what follows from them.
"""

from datetime import datetime

from schemas.credentials import Credential, CredentialReason, JwtCredential, Verified
from schemas.events import RoleChecked
from schemas.identity import Identity
from services.identity.core.verdict import Accepted, Refusal

BUNDLE = "sha256:" + "5" * 64


def credential(identity: Identity) -> Credential:
    """Return what the machine with this identity shows."""
    return Credential(jwt=JwtCredential(issuer="sim", token=identity.name))


def prove(shown: Credential, claimed: Identity, _at_ms: int) -> Identity | None:
    """Say for the oracle what a credential proves."""
    return claimed if shown.jwt is not None and shown.jwt.token == claimed.name else None


class NameTrust:
    """The same for the cores."""

    def verify(self, bundle: str, credential: Credential, claimed: Identity, at: datetime) -> Accepted | Refusal:
        """Accept the token that says the claimed name."""
        if prove(credential, claimed, 0) is None:
            return Refusal(CredentialReason.BAD_SIGNATURE, "the token says another name")
        return Accepted(claimed, Verified(method="jwt", key="sim", bundle=bundle, at=at))

    def signed(self, bundle: str, checked: RoleChecked, partition: int) -> bool:  # noqa: ARG002 - as the port has it
        """Nobody signs roles here."""
        return False
