"""Identity from OIDC tokens: what they claim, read without verifying it, as nobody here could do anything about it.

The processor verifies; a claim that is not what the token proves is refused there.
"""

import base64
import binascii
import json
from typing import Any

from pydantic import ValidationError
from tenacity.wait import wait_base

from schemas.credentials import Credential, JwtCredential
from schemas.identity import Identity
from schemas.message import complaint
from services.agent.identity.metadata import BACKOFF, awaited
from services.agent.identity.source import IdentityError, Machine, NotYet
from services.agent.settings import JwtSettings

_PARTS = 3


def claims(token: str, where: str) -> dict[str, Any]:
    """Return what a token claims; raise ``IdentityError`` naming ``where`` it is from if it is none."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        raise IdentityError(f"{where}: not a signed token: {len(parts)} parts between dots, expected {_PARTS}")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except (binascii.Error, ValueError) as cause:
        raise IdentityError(f"{where}: not a token: its second part is no JSON in base64 ({cause})") from cause
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


class TokenFile:
    """Reads a token from a file, whenever it is to be shown; one that is not there yet is waited for."""

    def __init__(self, settings: JwtSettings, wait: wait_base = BACKOFF) -> None:
        self._settings = settings
        self._wait = wait

    async def obtain(self) -> Machine:
        """Return who the token says this is; waits, saying so, as long as there is no file."""
        return await awaited(self.renew, str(self._settings.file), self._wait)

    async def renew(self) -> Machine:
        """Return the same of the token that is there now."""
        where = str(self._settings.file)
        try:
            token = self._settings.file.read_text(encoding="ascii").strip()
        except FileNotFoundError as cause:
            raise NotYet(f"{where}: there is no token file; see identity.jwt.file") from cause
        except (OSError, UnicodeDecodeError) as cause:
            raise IdentityError(f"{where}: cannot be read: {cause}; see identity.jwt.file") from cause
        if not token:
            raise NotYet(f"{where}: the token file is empty")
        issuer = self._settings.issuer
        identity = claimed(where, jwt={"issuer": issuer, "subject": claims(token, where).get("sub")})
        return Machine(identity, credential=Credential(jwt=JwtCredential(issuer=issuer, token=token)))
