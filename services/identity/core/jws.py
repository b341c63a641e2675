"""What holds for a token of any kind: signed by a configured issuer with an allowed algorithm, for us, and valid then.

RFC 7515, RFC 7519 and RFC 8725; times are judged by the record's broker time.
"""

import math
from datetime import datetime
from typing import Any, NamedTuple

import jwt

from schemas.credentials import CredentialReason
from services.identity.core.bundle import Issuer, TrustBundle, session_audience
from services.identity.core.verdict import RefusedError

Claims = dict[str, Any]


class NoKeyError(Exception):
    """It is no public key for this algorithm; the text says why."""


class Shown(NamedTuple):
    """When a token is shown, by the broker's clock, and in which session; None: nobody knows in which."""

    at: datetime
    session: str | None


class Proven(NamedTuple):
    """A token's claims, once its signature is checked, and which key made it."""

    claims: Claims
    key: str


def checked(bundle: TrustBundle, issuers: tuple[Issuer, ...], token: str, shown: Shown) -> Proven:
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
    _check_audience(bundle, issuer, claims, shown.session)
    _check_times(claims, shown.at.timestamp(), bundle.leeway_seconds)
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


def _check_audience(bundle: TrustBundle, issuer: Issuer, claims: Claims, session: str | None) -> None:
    """Check that it is for this Muster, and, where the issuer's tokens are bound, for the session that shows it."""
    told = claims.get("aud")
    named = [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, str)]
    # Of which session it is nobody can say of a token that stands alone; it is one of ours all the same.
    ours = [one for one in named if any(_is_for(one, audience) for audience in bundle.audiences)]
    if not ours:
        words = f"it is meant for {str(told)[:200]}; expected {' or '.join(bundle.audiences)}"
        raise RefusedError(CredentialReason.WRONG_AUDIENCE, words)
    unbound = () if issuer.binds_session else bundle.audiences
    if session is None or any(one in unbound for one in ours):
        return
    expected = [session_audience(audience, session) for audience in bundle.audiences]
    if not any(one in expected for one in ours):
        words = f"it is meant for {str(told)[:200]}; expected {' or '.join((*unbound, *expected))}"
        raise RefusedError(CredentialReason.WRONG_SESSION, words)


def _is_for(named: str, audience: str) -> bool:
    return named == audience or named.startswith(session_audience(audience, ""))


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
