"""The keys that issuers publish: fetched from where their configuration says, and added to the trust bundle.

OpenID Connect Discovery 1.0. An issuer that cannot be reached keeps the keys that were fetched before; without any its
tokens are refused as such, and are accepted once the keys are there.
"""

import asyncio
import time
from typing import Any

import aiohttp
import structlog
from pydantic_core import from_json

from services.identity.core.bundle import Issuer, TrustBundle

REFRESH_S = 300.0
RETRY_S = 10.0
TIMEOUT = aiohttp.ClientTimeout(total=10)
LARGEST = 256 * 1024
_OK = 200
PATIENCE_S = 2.0
"""How long a bundle waits for keys; those of a slow issuer come with a later one."""
_PUBLIC = ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y")
"""Parts of a public key (RFC 7518, 6): whatever else an issuer publishes is none of the bundle's."""


class DiscoveryError(Exception):
    """The keys could not be had; the text says why."""


class Discovery:
    """Keys by issuer, fetched again every few minutes."""

    def __init__(self, patience_s: float = PATIENCE_S, retry_s: float = RETRY_S) -> None:
        self._keys: dict[str, tuple[dict[str, Any], ...]] = {}
        self._due: dict[str, float] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._patience_s, self._retry_s = patience_s, retry_s

    async def complete(self, bundle: TrustBundle) -> TrustBundle:
        """Return the bundle with the keys of those issuers that publish theirs, as far as they are known by now."""
        for issuer in bundle.issuers:
            due = time.monotonic() >= self._due.get(issuer.issuer, 0)
            if issuer.discovery and due and issuer.issuer not in self._under_way:
                self._under_way[issuer.issuer] = asyncio.create_task(self._refresh(issuer))
        if self._under_way:
            done, _ = await asyncio.wait(self._under_way.values(), timeout=self._patience_s)
            self._under_way = {name: task for name, task in self._under_way.items() if task not in done}
            for task in done:
                task.result()
        if not any(issuer.discovery for issuer in bundle.issuers):
            return bundle
        return bundle.model_copy(update={"issuers": tuple(map(self._with_keys, bundle.issuers))})

    def _with_keys(self, issuer: Issuer) -> Issuer:
        if not issuer.discovery:
            return issuer
        return issuer.model_copy(update={"keys": (*issuer.keys, *self._keys.get(issuer.issuer, ()))})

    async def _refresh(self, issuer: Issuer) -> None:
        try:
            self._keys[issuer.issuer] = await _fetched(issuer)
            self._due[issuer.issuer] = time.monotonic() + REFRESH_S
        except (DiscoveryError, aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as cause:
            self._due[issuer.issuer] = time.monotonic() + self._retry_s
            structlog.get_logger().warning(
                "the keys of an issuer could not be fetched; it is asked again",
                issuer=issuer.name,
                cause=str(cause) or repr(cause),
                known=len(self._keys.get(issuer.issuer, ())),
                again_in_s=self._retry_s,
            )


async def _fetched(issuer: Issuer) -> tuple[dict[str, Any], ...]:
    async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
        where = f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        place = keys_place(issuer.issuer, await _json(http, where))
        keys = (await _json(http, place)).get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise DiscoveryError(f"{place} has no list of keys")
    public = ({name: key[name] for name in _PUBLIC if isinstance(key.get(name), str)} for key in keys)
    return tuple(sorted(public, key=lambda key: str(key.get("kid"))))


def keys_place(issuer: str, configuration: dict[str, Any]) -> str:
    """Return where an issuer's keys are, by what its configuration says. Raises DiscoveryError."""
    if configuration.get("issuer") != issuer:
        raise DiscoveryError(f"the configuration of {issuer} is of the issuer {configuration.get('issuer')!r:.200}")
    place = configuration.get("jwks_uri")
    if not isinstance(place, str):
        raise DiscoveryError(f"the configuration of {issuer} has no jwks_uri")
    if issuer.startswith("https:") and not place.startswith("https:"):
        raise DiscoveryError(f"the keys of {issuer} are at {place!r:.200}: they come over TLS or not at all")
    return place


async def _json(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """Return what is at exactly this place: keys that somebody else was told to give are not this issuer's."""
    async with http.get(url, allow_redirects=False) as answer:
        if answer.status != _OK:
            to = answer.headers.get("Location")
            words = f", and names {to[:200]!r}: redirections are not followed" if to is not None else ""
            raise DiscoveryError(f"{url} answers {answer.status}{words}")
        text = b""
        async for part in answer.content.iter_chunked(LARGEST):
            text += part
            if len(text) > LARGEST:
                raise DiscoveryError(f"{url} has more than {LARGEST} bytes")
    told = from_json(text)  # no lone surrogates: a bundle with them could not be kept for replays
    if not isinstance(told, dict):
        raise DiscoveryError(f"{url} is not a JSON object")
    return told
