"""Agents that prove who they are, for random logs: short chains, and a trust that reads a token's one word."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from schemas.credentials import (
    Chain,
    Credential,
    CredentialReason,
    Ec2Credential,
    Link,
    Proof,
    StsRequest,
    Verified,
)
from schemas.identity import Identity
from services.identity.core.keys import Keys
from services.identity.core.verdict import Accepted, Refusal

BUNDLE = "sha256:" + "7" * 64
LENGTH = 7


SIGNED = "sha256:" + "8" * 64
"""The bundle that demands signed control records."""


def signature_by(key: str, statement: bytes) -> str:
    """Return what stands for a signature here."""
    return f"{key}:{sha256(statement).hexdigest()[:32]}"


class WordTrust:
    """Accepts the document ``good``; what it proves differs from the claim where the name does not show it."""

    def keys(self, bundle: str) -> Keys | None:
        """Know two bundles: by one of them every control record must be signed."""
        return {BUNDLE: Keys(("owner",)), SIGNED: Keys(("owner",), ("ann",), control=True)}.get(bundle)

    def vouched(self, keys: Sequence[str], statement: bytes, signature: str) -> bool:
        """Read a signature that is the key's name and a sum of what was signed."""
        return signature in {signature_by(key, statement) for key in keys}

    def verify(
        self,
        bundle: str,
        credential: Credential,
        claimed: Identity,
        at: datetime,
        session: str,  # noqa: ARG002 - as the port has it
    ) -> Accepted | Refusal:
        if credential.ec2 is None or credential.ec2.document != "good" or claimed.aws is None:
            return Refusal(CredentialReason.BAD_SIGNATURE, "the word is not good")
        proven = Identity(aws=claimed.aws.model_copy(update={"region": "proven-1"}))
        return Accepted(proven, Verified(method="jwt", key="word", bundle=bundle, at=at))


@dataclass
class ChainOf:
    """The chains of one session; ``base`` is the seq of the event that committed to the newest."""

    session: str
    base: int = 0
    made: int = 0
    links: list[bytes] = field(default_factory=list)

    def commit(self, seq: int) -> Chain:
        """Make a new chain with the event ``seq``."""
        link = sha256(f"{self.session}/{self.made}".encode()).digest()
        self.links = [link]
        for _ in range(LENGTH):
            link = sha256(link).digest()
            self.links.insert(0, link)
        self.base, self.made = seq, self.made + 1
        return Chain(anchor=self.links[0].hex(), length=LENGTH)

    def link(self, seq: int) -> Link:
        """Return the link of event ``seq``; beyond the end, one that leads nowhere."""
        place = seq - self.base
        return self.links[place].hex() if 0 < place < LENGTH else "00" * 32

    def rest(self, seq: int) -> Chain:
        """Return the same chain, seen from the event ``seq``."""
        place = seq - self.base
        return Chain(anchor=self.link(seq), length=max(1, LENGTH - place))

    @property
    def tail(self) -> Link:
        """The chain's secret."""
        return self.links[-1].hex()


def proof(chain: Chain, word: str, continues: tuple[Link, ...] = (), *, role: bool = True) -> Proof:
    """Return what a session begins with; ``role``: it claims one besides."""
    asked = StsRequest(url="https://sts.us-east-2.amazonaws.com/") if role else None
    shown = Credential(ec2=Ec2Credential(document=word), iam_role=asked)
    return Proof(credential=shown, chain=chain, continues=continues)
