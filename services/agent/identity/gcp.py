"""Identity from Google Compute Engine's metadata server: the token of the instance, for our audience and session.

Source: https://cloud.google.com/compute/docs/instances/verifying-instance-identity
"""

from functools import partial
from urllib.parse import quote

from tenacity.wait import wait_base

from schemas.credentials import Credential, TokenCredential
from schemas.events import AddressType
from services.agent.identity.metadata import BACKOFF, Metadata, awaited
from services.agent.identity.source import IdentityError, Machine, NotYet
from services.agent.identity.tokens import addresses, claimed, claims
from services.agent.settings import GcpSettings
from services.identity.core.bundle import session_audience

ROOT = "/computeMetadata/v1/instance"
TOKEN = f"{ROOT}/service-accounts/default/identity"
INTERNAL = f"{ROOT}/network-interfaces/0/ip"
EXTERNAL = f"{ROOT}/network-interfaces/0/access-configs/0/external-ip"
_HEADERS = {"Metadata-Flavor": "Google"}


class GcpSource:
    """Reads the instance's token and addresses; the instance needs a service account."""

    def __init__(self, settings: GcpSettings, audience: str, wait: wait_base = BACKOFF) -> None:
        self._settings = settings
        self._audience = audience
        self._wait = wait

    async def obtain(self) -> Machine:
        """Return the machine; waits with backoff, saying so, as long as the server does not answer."""
        return await awaited(partial(self._read, self._audience), self._settings.endpoint, self._wait)

    async def renew(self, session: str) -> Machine:
        """Return the machine, with a token that only this session may show."""
        return await self._read(session_audience(self._audience, session))

    async def _read(self, audience: str) -> Machine:
        async with Metadata(self._settings.endpoint, self._settings.timeout_seconds) as metadata:
            raw = await _get(metadata, f"{TOKEN}?audience={quote(audience, safe='')}&format=full")
            if raw is None:
                raise NotYet(f"there is no {TOKEN} (404): has this instance a service account?")
            places = ((AddressType.VPC, INTERNAL), (AddressType.INTERNET, EXTERNAL))
            found = [(kind, await _get(metadata, path)) for kind, path in places]
        token = raw.decode("ascii", "replace").strip()
        told = claims(token, TOKEN)
        google = told.get("google")
        machine = google.get("compute_engine") if isinstance(google, dict) else None
        if not isinstance(machine, dict):
            raise IdentityError(f"{TOKEN}: the token says nothing of an instance (google.compute_engine)")
        names = {
            "project": "project_id",
            "zone": "zone",
            "instanceId": "instance_id",
            "instanceName": "instance_name",
        }
        identity = claimed(TOKEN, gcp={ours: machine.get(theirs) for ours, theirs in names.items()})
        told_addresses = addresses(ROOT, ((kind, ip.decode("ascii", "replace").strip()) for kind, ip in found if ip))
        return Machine(identity, told_addresses, credential=Credential(gcp=TokenCredential(token=token)))


async def _get(metadata: Metadata, path: str) -> bytes | None:
    status, body = await metadata.ask("GET", path, _HEADERS)
    if status == 404:  # noqa: PLR2004 - HTTP's number: there is none
        return None
    if status != 200:  # noqa: PLR2004 - HTTP's number
        raise NotYet(f"GET {path} answers {status}")
    return body
