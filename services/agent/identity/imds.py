"""Identity from EC2's instance metadata service, version 2 (session tokens; IMDSv1 is never used).

Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html and
…/instance-identity-documents.html. The service may come late at boot: everything but nonsense is waited for.
"""

from types import TracebackType
from typing import Self

import aiohttp
import structlog
from pydantic import BaseModel, Field, ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential
from tenacity.wait import wait_base

from schemas.events import Address, AddressType
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from services.agent.identity.source import Credential, IdentityError, Machine
from services.agent.settings import Ec2Settings

TOKEN_TTL_SECONDS = 21_600
"""The longest the service gives."""
DOCUMENT = "/latest/dynamic/instance-identity/document"
SIGNATURES = ("rsa2048", "signature", "pkcs7")
"""Signatures beside the document, under the names the service gives them."""
BACKOFF = wait_random_exponential(0.2, 10)
"""Seconds between attempts while the service does not answer."""
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


class NotYet(Exception):  # noqa: N818 - it is a state of the service rather than an error
    """The service does not answer as it should; time may mend it."""


class Imds:
    """A client of the service; an async context manager that holds its connection and its token."""

    def __init__(self, settings: Ec2Settings) -> None:
        self._endpoint = settings.endpoint.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout_seconds)
        self._http: aiohttp.ClientSession | None = None
        self._token: str | None = None

    async def __aenter__(self) -> Self:
        # No proxies from the environment: the address is the machine's own.
        self._http = aiohttp.ClientSession(timeout=self._timeout, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def get(self, path: str) -> bytes | None:
        """Return what the service has at ``path``, None for 404; renews the token once if it is refused."""
        for _ in range(2):
            if self._token is None:
                self._token = await self._new_token()
            status, body = await self._ask("GET", path, {"X-aws-ec2-metadata-token": self._token})
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
        status, body = await self._ask("PUT", "/latest/api/token", ttl)
        if status == 403:  # noqa: PLR2004 - HTTP's number
            raise NotYet("the instance's metadata service is turned off (403); see HttpEndpoint of the instance")
        if status != 200:  # noqa: PLR2004 - HTTP's number
            raise NotYet(f"PUT /latest/api/token answers {status}")
        return body.decode("ascii", "replace").strip()

    async def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._http is None:
            raise RuntimeError("use Imds as a context manager")
        url = self._endpoint + path
        try:
            async with self._http.request(method, url, headers=headers, allow_redirects=False) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as cause:
            raise NotYet(f"{method} {path}: {cause or type(cause).__name__}") from cause


class Ec2Source:
    """Reads the instance's identity document and addresses."""

    def __init__(self, settings: Ec2Settings, wait: wait_base = BACKOFF) -> None:
        self._settings = settings
        self._wait = wait

    async def obtain(self) -> Machine:
        """Return the machine; waits with backoff, saying so, as long as the service does not answer."""
        waiting = AsyncRetrying(
            retry=retry_if_exception_type(NotYet),
            wait=self._wait,
            before_sleep=self._say,
        )
        async with Imds(self._settings) as imds:
            machine: Machine = await waiting(_read, imds)
        return machine

    def _say(self, state: RetryCallState) -> None:
        why = str(state.outcome.exception()) if state.outcome else ""
        structlog.get_logger().warning(
            "waiting for the instance metadata service", endpoint=self._settings.endpoint, reason=why
        )


async def _read(imds: Imds) -> Machine:
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
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'document'}: {f['msg']}" for f in error.errors())
        raise IdentityError(f"the metadata of this instance cannot be read: {error.title}: {faults}") from error
    signatures = {name: await imds.get(f"/latest/dynamic/instance-identity/{name}") for name in SIGNATURES}
    return Machine(
        identity=identity,
        addresses=addresses,
        credential=Credential(raw, {name: body for name, body in signatures.items() if body is not None}),
    )


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
