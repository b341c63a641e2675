"""OIDC tokens: signed by a configured issuer with an allowed algorithm, meant for this Muster, valid at a broker time.

RFC 7519 and RFC 8725; the clouds' own instance tokens are tokens of issuers of their kind.
"""

import json
import math
import re
from datetime import datetime
from typing import Any, NamedTuple

import jsonpath
import jwt
from pydantic import ValidationError

from schemas.credentials import CredentialReason
from schemas.identity import AzureIdentity, GcpIdentity, Identity, JwtIdentity
from services.identity.core.bundle import Issuer, IssuerKind, TrustBundle
from services.identity.core.verdict import RefusedError

Claims = dict[str, Any]
LONGEST_ATTRIBUTE = 1024
_ZONE = re.compile(r"[a-z]+-[a-z]+[0-9]+-[a-z0-9]+")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Names of machines are told apart by the fixed shape of these two."""


class NoKeyError(Exception):
    """It is no public key for this algorithm; the text says why."""


class Proven(NamedTuple):
    """A token's claims, once its signature is checked, and which key made it."""

    claims: Claims
    key: str


def verify_jwt(bundle: TrustBundle, issuer: str, token: str, at: datetime) -> tuple[Identity, str, str]:
    """Return identity, method and key of an issuer's token. Raises RefusedError."""
    known = bundle.issuer(issuer)
    if known is None or known.kind is not IssuerKind.JWT:
        names = ", ".join(one.name for one in bundle.of_kind(IssuerKind.JWT)) or "none"
        raise RefusedError(CredentialReason.UNKNOWN_ISSUER, f"no issuer {issuer}; the trust bundle has {names}")
    proven = _checked(bundle, (known,), token, at)
    identity = JwtIdentity(
        issuer=known.name, subject=_text(proven.claims, "sub"), attributes=_attributes(known, proven.claims)
    )
    return Identity(jwt=identity), "jwt", proven.key


def verify_gcp(bundle: TrustBundle, token: str, at: datetime) -> tuple[Identity, str, str]:
    """Return the same of a Google Compute Engine instance token (format=full). Raises RefusedError."""
    proven = _checked(bundle, bundle.of_kind(IssuerKind.GCP), token, at)
    machine = _claim(proven.claims, "google", "compute_engine")
    email = proven.claims.get("email")
    return (
        _identity(
            "gcp",
            GcpIdentity,
            project=_text(machine, "project_id"),
            zone=_shaped(_ZONE, _text(machine, "zone"), "zone"),
            instance_id=_text(machine, "instance_id"),
            instance_name=machine.get("instance_name"),
            service_account=email if proven.claims.get("email_verified") is True else None,
        ),
        "gcp",
        proven.key,
    )


def verify_azure(bundle: TrustBundle, token: str, at: datetime) -> tuple[Identity, str, str]:
    """Return the same of a token of a machine's system-assigned managed identity. Raises RefusedError."""
    proven = _checked(bundle, bundle.of_kind(IssuerKind.AZURE), token, at)
    resource = _text(proven.claims, "xms_mirid").strip("/").split("/")
    shape = ("subscriptions", "resourcegroups", "providers", "microsoft.compute", "virtualmachines")
    found = tuple(part.lower() for part in (*resource[0:5:2], *resource[5:7]))
    if len(resource) != 8 or found != shape:  # noqa: PLR2004 - /subscriptions/S/resourcegroups/G/providers/P/T/NAME
        raise RefusedError(CredentialReason.CLAIM_MISSING, "xms_mirid does not name a virtual machine")
    identity = _identity(
        "azure",
        AzureIdentity,
        tenant=_text(proven.claims, "tid"),
        subscription=_shaped(_GUID, resource[1].lower(), "subscription"),
        resource_group=resource[3].lower(),
        vm=resource[7].lower(),
    )
    return identity, "azure", proven.key


def _checked(bundle: TrustBundle, issuers: tuple[Issuer, ...], token: str, at: datetime) -> Proven:
    """Check everything that holds for tokens of any kind."""
    header, unproven = _opened(token)
    issuer = next((one for one in issuers if one.issuer == unproven.get("iss")), None)
    if issuer is None:
        told = str(unproven.get("iss"))[:200]
        raise RefusedError(CredentialReason.UNKNOWN_ISSUER, f"it is of {told}, which is not the issuer configured")
    algorithm = str(header.get("alg"))[:40]
    if algorithm not in issuer.algorithms:
        words = f"it is signed with {algorithm}; {issuer.name} may use {', '.join(issuer.algorithms)}"
        raise RefusedError(CredentialReason.ALGORITHM_NOT_ALLOWED, words)
    if not issuer.keys:
        raise RefusedError(CredentialReason.KEYS_UNAVAILABLE, f"the keys of {issuer.name} could not be fetched so far")
    key = _key(issuer, header, algorithm)
    try:
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
        options |= {"verify_iss": False, "verify_sub": False, "verify_jti": False}
        claims = jwt.decode(token, key.key, algorithms=[algorithm], options=options)
    except jwt.InvalidSignatureError as cause:
        words = f"the signature is not by the key {key.key_id or algorithm} of {issuer.name}"
        raise RefusedError(CredentialReason.BAD_SIGNATURE, words) from cause
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as cause:
        raise RefusedError(CredentialReason.MALFORMED, f"not a token: {str(cause)[:200]}") from cause
    _check_audience(bundle, claims)
    _check_times(claims, at.timestamp(), bundle.leeway_seconds)
    return Proven(claims, f"{issuer.issuer}#{key.key_id or ''}"[:253])


def _opened(token: str) -> tuple[Claims, Claims]:
    """Return header and claims as they are told, unproven."""
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as cause:
        raise RefusedError(CredentialReason.MALFORMED, f"not a token: {str(cause)[:200]}") from cause
    return header, claims


def _key(issuer: Issuer, header: Claims, algorithm: str) -> jwt.PyJWK:
    """Return the issuer's key that the header names, or its only one where it names none.

    Of two with the same name the first counts: what the operator wrote stands before what was fetched.
    """
    kid = header.get("kid")
    fitting = [key for key in issuer.keys if kid is None or key.get("kid") == kid]
    if not fitting or (kid is None and len(fitting) > 1):
        known = ", ".join(str(key.get("kid")) for key in issuer.keys)[:200]
        told = "names no key" if kid is None else f"names the key {str(kid)[:80]}"
        raise RefusedError(CredentialReason.UNKNOWN_KEY, f"it {told}; {issuer.name} has {known}")
    try:
        return public_key(fitting[0], algorithm)
    except NoKeyError as cause:
        words = f"the key {str(kid)[:80]} of {issuer.name} is not for {algorithm}: {cause}"
        raise RefusedError(CredentialReason.UNKNOWN_KEY, words) from cause


def public_key(key: dict[str, Any], algorithm: str) -> jwt.PyJWK:
    """Return a JSON Web Key ready to verify with. Raises NoKeyError."""
    try:
        return jwt.PyJWK(key, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError) as cause:
        raise NoKeyError(str(cause)[:200]) from cause


def _check_audience(bundle: TrustBundle, claims: Claims) -> None:
    told = claims.get("aud")
    audiences = [told] if isinstance(told, str) else told
    if not isinstance(audiences, list) or not any(one in bundle.audiences for one in audiences if isinstance(one, str)):
        words = f"it is meant for {str(told)[:200]}; expected {' or '.join(bundle.audiences)}"
        raise RefusedError(CredentialReason.WRONG_AUDIENCE, words)


def _check_times(claims: Claims, at: float, leeway: int) -> None:
    """Judge by the record's broker time: the same record has the same verdict whenever it is read."""
    until, since = _seconds(claims, "exp"), _seconds(claims, "nbf")
    if until is None:
        raise RefusedError(CredentialReason.CLAIM_MISSING, "it has no exp: a token must expire")
    if at >= until + leeway:
        raise RefusedError(CredentialReason.EXPIRED, f"it expired {at - until:.0f} s before it was sent")
    if since is not None and at < since - leeway:
        raise RefusedError(CredentialReason.NOT_YET_VALID, f"it is valid {since - at:.0f} s after it was sent")


def _seconds(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(CredentialReason.MALFORMED, f"{name} is not a number of seconds")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise RefusedError(CredentialReason.MALFORMED, f"{name} is no time")
    return seconds


def _claim(claims: Claims, *path: str) -> Claims:
    found: Any = claims
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise RefusedError(CredentialReason.CLAIM_MISSING, f"it has no {'.'.join(path)}")
    return found


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError(CredentialReason.CLAIM_MISSING, f"it has no {name}")
    return value


def _shaped(shape: re.Pattern[str], text: str, name: str) -> str:
    if not shape.fullmatch(text):
        raise RefusedError(CredentialReason.CLAIM_MISSING, f"its {name} is {text[:80]}, which is none")
    return text


def _identity(kind: str, model: type[GcpIdentity] | type[AzureIdentity], **fields: object) -> Identity:
    try:
        return Identity.model_validate({kind: model.model_validate(fields)})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise RefusedError(CredentialReason.CLAIM_MISSING, f"{where}: {fault['msg']}"[:300]) from error


def _attributes(issuer: Issuer, claims: Claims) -> dict[str, str]:
    """Return the configured attributes; several values of one stand in one text, with commas between them."""
    found: dict[str, str] = {}
    for name, path in sorted(issuer.attributes.items()):
        try:
            values = jsonpath.findall(path, claims)
        except (jsonpath.JSONPathError, RecursionError) as cause:
            raise RefusedError(CredentialReason.MALFORMED, f"attribute {name}: {cause}") from cause
        text = _joined([_scalar(value) for value in values if not isinstance(value, dict | list)])
        if text is not None:
            found[name] = text
    return found


def _joined(values: list[str]) -> str | None:
    """Return the values as one text, as many whole ones as fit: half of one could be the name of another.

    A comma in a value is ``%2C``, and a percent sign ``%25``: nobody gets a second value by a comma in the first.
    """
    text: str | None = None
    for value in values:
        told = value.replace("%", "%25").replace(",", "%2C")
        longer = told if text is None else f"{text},{told}"
        if len(longer) <= LONGEST_ATTRIBUTE:
            text = longer
    return text


def _scalar(value: Any) -> str:  # noqa: ANN401 - any JSON
    return value if isinstance(value, str) else json.dumps(value)
