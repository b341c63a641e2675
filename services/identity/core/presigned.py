"""Pre-signed requests: AWS Signature Version 4 in the query, as a pure function of keys, request and time.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html; for GET without a body.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
_NO_BODY = hashlib.sha256(b"").hexdigest()


class Keys(NamedTuple):
    """Temporary credentials of AWS."""

    access_key: str
    secret: str
    token: str | None = None


class Request(NamedTuple):
    """What is asked of which service; ``query`` and ``headers`` as they are, not encoded, ``headers`` without Host."""

    host: str
    region: str
    service: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = {}
    path: str = "/"


def url(keys: Keys, request: Request, at: datetime, lasts_s: int, payload_hash: str = _NO_BODY) -> str:
    """Return the URL that anybody may send, with exactly these headers, within ``lasts_s`` of ``at``."""
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{request.region}/{request.service}/aws4_request"
    headers = {name.lower(): " ".join(value.split()) for name, value in request.headers.items()}
    headers["host"] = request.host
    names = ";".join(sorted(headers))
    query = [
        *request.query,
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", f"{keys.access_key}/{scope}"),
        ("X-Amz-Date", stamp),
        ("X-Amz-Expires", str(lasts_s)),
        ("X-Amz-SignedHeaders", names),
        *([("X-Amz-Security-Token", keys.token)] if keys.token is not None else ()),
    ]
    told = encoded(query)
    lines = ("GET", quote(request.path), told, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names)
    canonical = "\n".join((*lines, payload_hash))
    signed = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    signature = hmac.new(_key(keys.secret, scope), signed.encode(), hashlib.sha256).hexdigest()
    return f"https://{request.host}{quote(request.path)}?{told}&X-Amz-Signature={signature}"


def encoded(query: Sequence[tuple[str, str]]) -> str:
    """Return a query in AWS's canonical form: encoded but for RFC 3986's unreserved characters, and then sorted."""
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
