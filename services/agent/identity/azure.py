"""Identity from Azure's instance metadata service: a token of the machine's system-assigned managed identity.

Source: https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token and
https://learn.microsoft.com/en-us/azure/virtual-machines/instance-metadata-service
"""

import json
from typing import Any
from urllib.parse import quote

from tenacity.wait import wait_base

from schemas.credentials import Credential, TokenCredential
from schemas.events import AddressType
from services.agent.identity.metadata import BACKOFF, Metadata, awaited
from services.agent.identity.source import IdentityError, Machine, NotYet
from services.agent.identity.tokens import addresses, claimed, claims
from services.agent.settings import AzureSettings

TOKEN = "/metadata/identity/oauth2/token"  # noqa: S105 - a path
ADDRESS = "/metadata/instance/network/interface/0/ipv4/ipAddress/0"
_HEADERS = {"Metadata": "true"}


class AzureSource:
    """Reads the machine's token and addresses; the machine needs a system-assigned managed identity."""

    def __init__(self, settings: AzureSettings, audience: str, wait: wait_base = BACKOFF) -> None:
        self._settings = settings
        self._audience = audience
        self._wait = wait

    async def obtain(self) -> Machine:
        """Return the machine; waits with backoff, saying so, as long as the service does not answer."""
        return await awaited(self._read, self._settings.endpoint, self._wait)

    async def renew(self, session: str) -> Machine:  # noqa: ARG002 - Azure has tokens for applications it knows only
        """Return the machine, with a token as it is issued now."""
        return await self._read()

    async def _read(self) -> Machine:
        async with Metadata(self._settings.endpoint, self._settings.timeout_seconds) as metadata:
            query = f"api-version=2018-02-01&resource={quote(self._audience, safe='')}"
            token = (await _get(metadata, f"{TOKEN}?{query}")).get("access_token")
            found = await _get(metadata, f"{ADDRESS}?api-version=2021-02-01")
        if not isinstance(token, str):
            raise IdentityError(f"{TOKEN}: the answer has no access_token")
        told = claims(token, TOKEN)
        identity = claimed(TOKEN, azure={"tenant": told.get("tid"), **_machine(told.get("xms_mirid"))})
        places = ((AddressType.VPC, "privateIpAddress"), (AddressType.INTERNET, "publicIpAddress"))
        told_addresses = addresses(ADDRESS, ((kind, found.get(name)) for kind, name in places))
        return Machine(identity, told_addresses, credential=Credential(azure=TokenCredential(token=token)))


def _machine(resource: object) -> dict[str, str]:
    """Return what a resource id says: /subscriptions/S/resourcegroups/G/providers/P/virtualMachines/NAME."""
    match str(resource).lower().strip("/").split("/"):
        case ["subscriptions", subscription, "resourcegroups", group, "providers", _, "virtualmachines", name]:
            return {"subscription": subscription, "resourceGroup": group, "vm": name}
    raise IdentityError(
        f"{TOKEN}: the token is of {resource!r:.200} and not of a virtual machine: turn on its system-assigned identity"
    )


async def _get(metadata: Metadata, path: str) -> dict[str, Any]:
    status, body = await metadata.ask("GET", path, _HEADERS)
    if status != 200:  # noqa: PLR2004 - HTTP's number
        raise NotYet(f"GET {path} answers {status}: {body[:200].decode('utf-8', 'replace')}")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as cause:
        raise IdentityError(f"{path}: not JSON: {cause}") from cause
    return found if isinstance(found, dict) else {}
