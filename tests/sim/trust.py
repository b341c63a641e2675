"""What the world's processors believe: a token that says the name which its machine claims. Cheap, and never doubted.

That signatures are verified is shown with real ones elsewhere (tests/unit/identity); here it is what follows from them.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from schemas.credentials import Credential, CredentialReason, JwtCredential, Verified
from schemas.events import Control, ControlEvent, Override
from schemas.identity import Identity
from services.identity.core.keys import Keys
from services.identity.core.verdict import Accepted, Refusal

BUNDLE = "sha256:" + "5" * 64
OWNER, OPERATOR = "owner", "operator"
"""Names of keys: who has none of them signs nothing that counts."""
KEYS = Keys((OWNER,), (OPERATOR,), control=True)
C = TypeVar("C", bound=Control)


def credential(identity: Identity) -> Credential:
    """Return what the machine with this identity shows."""
    return Credential(jwt=JwtCredential(issuer="sim", token=identity.name))


def prove(shown: Credential, claimed: Identity, _at_ms: int) -> Identity | None:
    """Say for the oracle what a credential proves."""
    return claimed if shown.jwt is not None and shown.jwt.token == claimed.name else None


def vouch(event: ControlEvent, partition: int) -> bool:
    """Say for the oracle whether somebody signed a record who may."""
    key = OPERATOR if isinstance(event, Override) else OWNER
    return event.signature == _signature(key, event.statement(partition))


def signed(key: str, event: C, partition: int) -> C:
    """Return the record as whoever has this key signs it."""
    return event.model_copy(update={"signature": _signature(key, event.statement(partition))})


def _signature(key: str, statement: bytes) -> str:
    return f"{key}:{sha256(statement).hexdigest()[:32]}"


class NameTrust:
    """The same for the cores."""

    def verify(
        self,
        bundle: str,
        credential: Credential,
        claimed: Identity,
        at: datetime,
        session: str,  # noqa: ARG002 - as the port has it
    ) -> Accepted | Refusal:
        """Accept the token that says the claimed name."""
        if prove(credential, claimed, 0) is None:
            return Refusal(CredentialReason.BAD_SIGNATURE, "the token says another name")
        return Accepted(claimed, Verified(method="jwt", key="sim", bundle=bundle, at=at))

    def keys(self, bundle: str) -> Keys | None:
        """Know one bundle, which demands signed control records."""
        return KEYS if bundle == BUNDLE else None

    def vouched(self, keys: Sequence[str], statement: bytes, signature: str) -> bool:
        """Read a signature that is the key's name and a sum of what was signed."""
        return signature in {_signature(key, statement) for key in keys}
