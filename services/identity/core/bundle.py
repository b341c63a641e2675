"""The trust bundle: whose signatures are believed, as one value with a digest (ADR 0010)."""

import hashlib
import json
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.identity.core.keys import Keys

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those which only the owner of a private key can use: never ``none``, never a shared secret."""

ShortName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9])*$", max_length=63)]
"""It stands in names of Kubernetes objects before ``--``, and so has no two hyphens in a row."""
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class Ec2Method(StrEnum):
    """Which of the signatures of an instance identity document counts, the best first."""

    RSA2048 = "rsa2048"
    PKCS7 = "pkcs7"
    SIGNATURE = "signature"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Certificate(_Part):
    """A certificate which signs the instance identity documents of one region."""

    region: str
    method: Ec2Method
    """The signature it is for; ``pkcs7`` and ``signature`` are made with weaker keys than ``rsa2048``."""
    pem: str


class IssuerKind(StrEnum):
    """What the tokens of an issuer say."""

    JWT = "jwt"
    GCP = "gcp"
    AZURE = "azure"
    ECS = "ecs"
    """Tokens given to ECS tasks, shown under the issuer's short name like those of ``jwt``."""


class EcsClaims(_Part):
    """Where a token says of which ECS task it is: JSONPaths (RFC 9535), each of one value."""

    partition: str = "$.ecs.partition"
    account: str = "$.ecs.account"
    region: str = "$.ecs.region"
    zone: str = "$.ecs.zone"
    cluster: str = "$.ecs.cluster"
    """Its name, not its ARN."""
    task_id: str = "$.ecs.task_id"
    role: str = "$.ecs.role"
    """Name of the task's IAM role; a token may say none."""


class Issuer(_Part):
    """Who signs tokens: ``name`` is short and stands in the names of workloads, ``issuer`` is the claim ``iss``."""

    name: ShortName
    issuer: str
    kind: IssuerKind = IssuerKind.JWT
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256")
    keys: tuple[dict[str, Any], ...] = ()
    """JSON Web Keys (RFC 7517), public parts only."""
    session_bound: bool | None = None
    """Whether a token must be meant for the very session that shows it; unless it is said, only those of ``gcp``."""
    discovery: bool = False
    """The keys are fetched from where ``<issuer>/.well-known/openid-configuration`` says, and again every so often."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """Name of an attribute, and the JSONPath (RFC 9535) of the claim it is taken from.

    Several values have commas between them; a comma in one is ``%2C``, and a percent sign ``%25``.
    """

    ecs: EcsClaims | None = None
    """Of the kind ``ecs``: where its tokens say of which task they are, if not where they do by default."""

    @property
    def binds_session(self) -> bool:
        """Whether a token is of use to one session only."""
        return self.kind is IssuerKind.GCP if self.session_bound is None else self.session_bound


def session_audience(audience: str, session: str) -> str:
    """Return the audience of a token that only this session of this Muster may show."""
    return f"{audience}/session/{session}"


class TrustBundle(_Part):
    """Everything that verification depends on besides the credential and the time."""

    audiences: Annotated[tuple[str, ...], Field(min_length=1)] = ("muster",)
    """A token must be meant for one of them."""
    ec2_methods: tuple[Ec2Method, ...] = (Ec2Method.RSA2048,)
    leeway_seconds: Annotated[int, Field(ge=0, le=600)] = 30
    """So much the clocks of issuer and broker may differ."""
    certificates: tuple[Certificate, ...] = ()
    issuers: tuple[Issuer, ...] = ()
    processors: tuple[str, ...] = ()
    """Ed25519 public keys, in base64, of the processors: they tell the time, what STS said, and which bundle holds."""
    operators: tuple[str, ...] = ()
    """The same of those who may give orders (``muster override``); none: the processors' keys do."""
    signed_control: bool = False
    """Whether what speaks for processors and operators must be signed (ADR 0014); a folder's bundle that lists
    processors has it so unless it says otherwise."""

    @cached_property
    def digest(self) -> str:
        """Return ``sha256:`` and the hash of the canonical form: keys sorted, no spaces, without what is not said."""
        told = self.model_dump(mode="json", exclude_none=True)
        for added in ("operators", "signed_control"):  # a bundle of before there were these is still called the same
            if not told[added]:
                del told[added]
        canonical = json.dumps(told, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def keys(self) -> Keys:
        """Return whose word counts in the log."""
        return Keys(self.processors, self.operators, self.signed_control)

    def issuer(self, name: str) -> Issuer | None:
        """Return the issuer of this short name."""
        return next((one for one in self.issuers if one.name == name), None)

    def of_kind(self, kind: IssuerKind) -> tuple[Issuer, ...]:
        """Return the issuers whose tokens say this."""
        return tuple(one for one in self.issuers if one.kind is kind)
