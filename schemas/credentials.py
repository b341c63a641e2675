"""What a machine shows to prove who it is, and what Muster says of a proof it accepted.

A credential travels in the event that begins a session; nothing of it reaches ``muster.workloads`` or Kubernetes.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.message import Message

LONGEST_TOKEN = 16 * 1024
Token = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TOKEN)]
Base64Text = Annotated[str, StringConstraints(min_length=1, max_length=16 * 1024)]
Link = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""One link of a hash chain: a SHA-256 digest in lower-case hexadecimal."""

CHAIN_LENGTH = 1024
"""Links of a chain, and so the most hashes one event can cost: 85 minutes of heartbeats 5 s apart."""


class Ec2Credential(Message):
    """What EC2's instance metadata service signs: the document byte for byte, and its signatures in base64."""

    document: Annotated[str, StringConstraints(min_length=2, max_length=16 * 1024)]
    rsa2048: Base64Text | None = None
    """PKCS#7 by RSA-2048."""
    pkcs7: Base64Text | None = None
    """PKCS#7 by DSA (or RSA-1024 in newer regions)."""
    signature: Base64Text | None = None
    """A bare RSA-1024 signature."""


class StsRequest(Message):
    """A pre-signed STS GetCallerIdentity request: sending it tells the caller's role, and nothing else."""

    url: Annotated[str, StringConstraints(max_length=4096)]
    headers: dict[str, str] = Field(default_factory=dict, max_length=32)


class JwtCredential(Message):
    """An OIDC token; ``issuer`` is the short name the operator gave to who signed it."""

    issuer: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    token: Token


class TokenCredential(Message):
    """A cloud's own instance token."""

    token: Token


class Credential(Message):
    """Exactly one of the kinds; ``iamRole`` may come with ``ec2``."""

    ec2: Ec2Credential | None = None
    iam_role: StsRequest | None = None
    jwt: JwtCredential | None = None
    gcp: TokenCredential | None = None
    azure: TokenCredential | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(kind is not None for kind in (self.ec2, self.jwt, self.gcp, self.azure)) != 1:
            raise ValueError("give exactly one of ec2, jwt, gcp and azure")
        if self.iam_role is not None and self.ec2 is None:
            raise ValueError("iamRole is a further claim of ec2")
        return self


class Chain(Message):
    """A commitment to a hash chain: the event after the next ``n`` reveals the link that hashes ``n`` times to it.

    The event which commits has sequence number s; the one with s+k must reveal the k-th link (ADR 0007).
    """

    anchor: Link
    length: Annotated[int, Field(ge=1, le=CHAIN_LENGTH)] = CHAIN_LENGTH


class Proof(Message):
    """What a session begins with: a credential, a chain, and, of sessions before on this machine, the last links.

    ``continues`` are the tails of the machine's latest chains, newest first: only who made a chain can show its tail,
    so a connect that shows the tail of the living session's chain is of the same machine, and may take its place.
    """

    credential: Credential
    chain: Chain
    continues: Annotated[tuple[Link, ...], Field(max_length=4)] = ()


class Verified(Message):
    """By what an identity was verified, and when."""

    method: Literal["ec2-rsa2048", "ec2-pkcs7", "ec2-signature", "jwt", "gcp", "azure"]
    key: Annotated[str, StringConstraints(max_length=253)]
    """The certificate's SHA-256 fingerprint, or the issuer and ``kid`` of a token's key."""
    bundle: Annotated[str, StringConstraints(max_length=80)]
    """Digest of the trust bundle: ``sha256:…``."""
    at: AwareDatetime
    """Broker time of the record that carried the credential."""


class CredentialReason(StrEnum):
    """Why a credential was not accepted; also reason codes of ``muster.rejected`` and of refusals."""

    MISSING = "CredentialMissing"
    """The event carries none."""
    MALFORMED = "CredentialMalformed"
    """It is not what its kind should be: not base64, not PKCS#7, not a token, not a document."""
    METHOD_NOT_ACCEPTED = "CredentialMethodNotAccepted"
    """Its kind of signature is not among those accepted."""
    UNKNOWN_ISSUER = "CredentialUnknownIssuer"
    """The trust bundle has no such issuer, or no certificate of such a region."""
    UNKNOWN_KEY = "CredentialUnknownKey"
    """The issuer has no such key."""
    ALGORITHM_NOT_ALLOWED = "CredentialAlgorithmNotAllowed"
    BAD_SIGNATURE = "CredentialBadSignature"
    EXPIRED = "CredentialExpired"
    NOT_YET_VALID = "CredentialNotYetValid"
    WRONG_AUDIENCE = "CredentialWrongAudience"
    WRONG_SESSION = "CredentialWrongSession"
    """It is meant for this Muster, and for another session than the one that shows it, or for none."""
    CLAIM_MISSING = "CredentialClaimMissing"
    IDENTITY_MISMATCH = "CredentialIdentityMismatch"
    """It proves another identity than the one claimed."""
    KEYS_UNAVAILABLE = "CredentialKeysUnavailable"
    """The issuer's keys could not be fetched."""
