"""The keys that issuers publish: fetched from where their configuration says, and added to the trust bundle.

OpenID Connect Discovery 1.0. An issuer that cannot be reached keeps the keys that were fetched before; without any its
tokens are refused as such, and are accepted once the keys are there.
"""

import json
import time
from typing import Any

import aiohttp
import structlog

from services.identity.core.bundle import Issuer, TrustBundle

REFRESH_S = 300.0
RETRY_S = 10.0
TIMEOUT = aiohttp.ClientTimeout(total=10)
LARGEST = 256 * 1024


class DiscoveryError(Exception):
    """The keys could not be had; the text says why."""


class Discovery:
    """Keys by issuer, fetched again every few minutes."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[dict[str, Any], ...]] = {}
        self._due: dict[str, float] = {}

    async def complete(self, bundle: TrustBundle) -> TrustBundle:
        """Return the bundle with the keys of those issuers that publish theirs."""
        issuers = [await self._complete(one) if one.discovery else one for one in bundle.issuers]
        return bundle.model_copy(update={"issuers": tuple(issuers)}) if issuers else bundle

    async def _complete(self, issuer: Issuer) -> Issuer:
        if time.monotonic() >= self._due.get(issuer.issuer, 0):
            try:
                self._keys[issuer.issuer] = await _fetched(issuer)
                self._due[issuer.issuer] = time.monotonic() + REFRESH_S
            except (DiscoveryError, aiohttp.ClientError, TimeoutError, ValueError) as cause:
                self._due[issuer.issuer] = time.monotonic() + RETRY_S
                structlog.get_logger().warning(
                    "the keys of an issuer could not be fetched", issuer=issuer.name, cause=str(cause) or repr(cause)
                )
        return issuer.model_copy(update={"keys": (*issuer.keys, *self._keys.get(issuer.issuer, ()))})


async def _fetched(issuer: Issuer) -> tuple[dict[str, Any], ...]:
    async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
        where = f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        configuration = await _json(http, where)
        if configuration.get("issuer") != issuer.issuer:
            raise DiscoveryError(f"{where} is of the issuer {configuration.get('issuer')!r}, not {issuer.issuer!r}")
        keys = (await _json(http, str(configuration.get("jwks_uri")))).get("keys")
    if not isinstance(keys, list):
        raise DiscoveryError(f"what {where} names as jwks_uri has no list of keys")
    public = ({name: part for name, part in key.items() if name not in ("d", "k")} for key in keys)
    return tuple(sorted(public, key=lambda key: str(key.get("kid"))))


async def _json(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with http.get(url) as answer:
        answer.raise_for_status()
        text = await answer.content.read(LARGEST)
    told = json.loads(text)
    if not isinstance(told, dict):
        raise DiscoveryError(f"{url} is not a JSON object")
    return told
