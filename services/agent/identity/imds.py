"""Identity from EC2's instance metadata service, version 2 (session tokens; IMDSv1 is never used).

Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html and
…/instance-identity-documents.html.
"""

from functools import partial

from pydantic import BaseModel, Field, ValidationError
from tenacity.wait import wait_base

from schemas.credentials import Credential, Ec2Credential
from schemas.events import Address, AddressType
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from schemas.message import complaint
from services.agent.identity.metadata import BACKOFF, Metadata, awaited
from services.agent.identity.role import role_request
from services.agent.identity.source import IdentityError, Machine, NotYet
from services.agent.settings import Ec2Settings

TOKEN_TTL_SECONDS = 21_600
"""The longest the service gives."""
DOCUMENT = "/latest/dynamic/instance-identity/document"
SIGNATURES = ("rsa2048", "signature", "pkcs7")
"""Signatures beside the document, under the names the service gives them."""
_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("us-iso-", "aws-iso"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
)


class Document(BaseModel):
    """What we read of the instance identity document."""

    account: str = Field(alias="accountId")
    region: str
    zone: str = Field(alias="availabilityZone")
    instance_id: str = Field(alias="instanceId")


class Imds(Metadata):
    """A client of the service; it holds a session token."""

    def __init__(self, settings: Ec2Settings) -> None:
        super().__init__(settings.endpoint, settings.timeout_seconds)
        self._token: str | None = None

    async def get(self, path: str) -> bytes | None:
        """Return what the service has at ``path``, None for 404; renews the token once if it is refused."""
        for _ in range(2):
            if self._token is None:
                self._token = await self._new_token()
            status, body = await self.ask("GET", path, {"X-aws-ec2-metadata-token": self._token})
            if status == 401:  # noqa: PLR2004 - HTTP's number: the token expired
                self._token = None
                continue
            if status == 404:  # noqa: PLR2004 - HTTP's number: there is none
                return None
            if status != 200:  # noqa: PLR2004 - HTTP's number
                raise NotYet(f"GET {path} answers {status}")
            return body
        raise NotYet(f"GET {path} refuses a new token (401)")

    async def _new_token(self) -> str:
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_SECONDS)}
        status, body = await self.ask("PUT", "/latest/api/token", ttl)
        if status == 403:  # noqa: PLR2004 - HTTP's number
            raise NotYet("the instance's metadata service is turned off (403); see HttpEndpoint of the instance")
        if status != 200:  # noqa: PLR2004 - HTTP's number
            raise NotYet(f"PUT /latest/api/token answers {status}")
        return body.decode("ascii", "replace").strip()


class Ec2Source:
    """Reads the instance's identity document, its signatures, and the instance's addresses."""

    def __init__(self, settings: Ec2Settings, wait: wait_base = BACKOFF, audience: str = "muster") -> None:
        """``audience`` is the Muster that the machine's role is shown to."""
        self._settings = settings
        self._wait = wait
        self._audience = audience

    async def obtain(self) -> Machine:
        """Return the machine; waits with backoff, saying so, as long as the service does not answer."""
        return await awaited(partial(self._read, None), self._settings.endpoint, self._wait)

    async def renew(self, session: str) -> Machine:
        """Return the machine as the service describes it now, with the claim of its role where that is asked for."""
        return await self._read(session)

    async def _read(self, session: str | None) -> Machine:
        async with Imds(self._settings) as imds:
            shows_role = self._settings.iam_role and session is not None
            return await _machine(imds, (self._audience, session or "") if shows_role else None)


async def _machine(imds: Imds, whom: tuple[str, str] | None) -> Machine:
    """Return the machine, with the claim of its role for ``whom``, an audience and a session, where they are given."""
    raw = await imds.get(DOCUMENT)
    if raw is None:
        raise NotYet(f"there is no {DOCUMENT} (404): is this an EC2 instance?")
    try:
        document = Document.model_validate_json(raw)
        identity = Identity(
            aws=AwsIdentity(
                partition=await _partition(imds, document.region),
                account=document.account,
                region=document.region,
                zone=document.zone,
                ec2=Ec2Instance(instance_id=document.instance_id),
            )
        )
        addresses = await _addresses(imds)
        signed = await _signed(imds, raw)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'document'}: {complaint(f)}" for f in error.errors())
        raise IdentityError(f"the metadata of this instance cannot be read: {error.title}: {faults}") from error
    role = await role_request(imds.get, document.region, *whom) if whom is not None else None
    return Machine(identity, addresses, credential=Credential(ec2=signed, iam_role=role))


async def _signed(imds: Imds, document: bytes) -> Ec2Credential:
    """Return the document with all its signatures: which of them count is the verifier's business."""
    found = {name: await imds.get(f"/latest/dynamic/instance-identity/{name}") for name in SIGNATURES}
    told = {name: b"".join(body.split()).decode("ascii", "replace") for name, body in found.items() if body}
    return Ec2Credential(document=document.decode(), **told)


async def _partition(imds: Imds, region: str) -> str:
    said = await imds.get("/latest/meta-data/services/partition")
    if said is not None:
        return said.decode("utf-8", "replace").strip()
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


async def _addresses(imds: Imds) -> tuple[Address, ...]:
    found = (
        (AddressType.VPC, await imds.get("/latest/meta-data/local-ipv4")),
        (AddressType.INTERNET, await imds.get("/latest/meta-data/public-ipv4")),
    )
    return tuple(Address(ip=raw.decode("utf-8", "replace").strip(), type=kind) for kind, raw in found if raw)
