"""Identity from OIDC tokens: what they claim, read without verifying it, as nobody here could do anything about it.

The processor verifies; a claim that is not what the token proves is refused there.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tenacity.wait import wait_base

from schemas.credentials import LONGEST_TOKEN, Credential, JwtCredential
from schemas.events import Address, AddressType
from schemas.identity import Identity
from schemas.message import complaint
from services.agent.identity.metadata import BACKOFF, awaited
from services.agent.identity.source import IdentityError, Machine, NotYet
from services.agent.settings import JwtSettings

_PARTS = 3


def claims(token: str, where: str) -> dict[str, Any]:
    """Return what a token claims; raise ``IdentityError`` naming ``where`` it is from if it is none."""
    if len(token) > LONGEST_TOKEN:
        words = f"the token has {len(token)} characters; an event has room for {LONGEST_TOKEN}: let its issuer say less"
        raise IdentityError(f"{where}: {words}")
    parts = token.split(".")
    if len(parts) != _PARTS:
        raise IdentityError(f"{where}: not a signed token: {len(parts)} parts between dots, expected {_PARTS}")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except (binascii.Error, ValueError) as cause:
        raise IdentityError(f"{where}: not a token: its second part is no JSON in base64 ({cause})") from cause
    except RecursionError as cause:
        raise IdentityError(f"{where}: not a token: its claims are nested too deep") from cause
    if not isinstance(found, dict):
        raise IdentityError(f"{where}: not a token: its claims are no JSON object")
    return found


def claimed(where: str, **kind: dict[str, Any]) -> Identity:
    """Return the identity of this kind and these fields; raise ``IdentityError`` where a claim is missing."""
    try:
        return Identity.model_validate(kind)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {complaint(f)}" for f in error.errors(include_url=False))
        raise IdentityError(f"{where}: the token does not say who this is: {faults}") from None


def addresses(where: str, found: Iterable[tuple[AddressType, object]]) -> tuple[Address, ...]:
    """Return the addresses that a metadata service named; raise ``IdentityError`` where one is none."""
    try:
        return tuple(Address.model_validate({"ip": ip, "type": kind}) for kind, ip in found if ip)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise IdentityError(f"{where}: {str(fault['input'])[:60]!r} is no address: {fault['msg']}") from None


def token_in(file: Path, setting: str) -> str:
    """Return the token in a file; raise ``NotYet`` where there is none yet, ``IdentityError`` where it is no text."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except FileNotFoundError as cause:
        raise NotYet(f"{file}: there is no token file; see {setting}") from cause
    except (OSError, UnicodeDecodeError) as cause:
        raise IdentityError(f"{file}: cannot be read: {cause}; see {setting}") from cause
    if not token:
        raise NotYet(f"{file}: the token file is empty")
    return token


class TokenFile:
    """Reads a token from a file, whenever it is to be shown; one that is not there yet is waited for."""

    def __init__(self, settings: JwtSettings, wait: wait_base = BACKOFF) -> None:
        self._settings = settings
        self._wait = wait

    async def obtain(self) -> Machine:
        """Return who the token says this is; waits, saying so, as long as there is no file."""
        return await awaited(self._read, str(self._settings.file), self._wait)

    async def renew(self, session: str) -> Machine:  # noqa: ARG002 - whoever issued the token knew of no session
        """Return the same of the token that is there now."""
        return await self._read()

    async def _read(self) -> Machine:
        where, token = str(self._settings.file), token_in(self._settings.file, "identity.jwt.file")
        issuer = self._settings.issuer
        identity = claimed(where, jwt={"issuer": issuer, "subject": claims(token, where).get("sub")})
        return Machine(identity, credential=Credential(jwt=JwtCredential(issuer=issuer, token=token)))
