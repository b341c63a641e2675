"""The claim ``iamRole``: a pre-signed GetCallerIdentity of STS, and what STS's answer proves of a machine (ADR 0010).

It is sent on only if it is nothing else, goes to STS itself, and is signed together with a header that names this
Muster and a header that names the session: so one made for somebody else cannot be used here, nor ours anywhere that
asks for its own header, nor by whoever reads it in the log.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from schemas.credentials import StsRequest
from services.identity.core import presigned

AUDIENCE = "x-muster-audience"
"""The header that binds a request to a Muster."""
SESSION = "x-muster-session"
"""The header that binds it to the session which shows it."""
LASTS_S = 300
"""How long a request of ours may be sent."""
LONGEST_S = 900
"""How long STS takes any."""
_ACTION = (("Action", "GetCallerIdentity"), ("Version", "2011-06-15"))
_SIGNED = f"host;{AUDIENCE};{SESSION}"
_HOST = re.compile(r"sts\.[a-z]{2,5}(-[a-z0-9]+)+\.amazonaws\.com(\.cn)?")
_REQUIRED = {
    *("Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date"),
    *("X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"),
}
_ALLOWED = _REQUIRED | {"X-Amz-Security-Token"}
_ROLE = re.compile(r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([\w+=,.@-]{1,64})/([\w+=,.@-]{2,64})", re.ASCII)


class NoRoleError(Exception):
    """The request, or STS's answer, proves no role; the text says why."""


class Question(NamedTuple):
    """A request that may be sent to STS: GET, with this query, encoded, and these headers."""

    host: str
    query: str
    headers: dict[str, str]


class Caller(NamedTuple):
    """Whom STS knows the sender as: a role, and under which session name it is assumed."""

    partition: str
    account: str
    role: str
    session: str


def request(keys: presigned.Keys, region: str, audience: str, session: str, at: datetime) -> StsRequest:
    """Return the request that a machine shows in a session. Raises ValidationError where its keys are too long."""
    host = f"sts.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    headers = {AUDIENCE: audience, SESSION: session}
    asked = presigned.Request(host, region, "sts", _ACTION, headers)
    return StsRequest(url=presigned.url(keys, asked, at, LASTS_S), headers=headers)


def question(shown: StsRequest, audiences: Sequence[str], session: str) -> Question:
    """Return what may be sent of a request that a machine shows in this session. Raises NoRoleError."""
    try:
        parts = urlsplit(shown.url)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, max_num_fields=16)
    except ValueError as cause:
        raise NoRoleError(f"the request's URL cannot be read: {cause}") from cause
    if parts.scheme != "https" or not _HOST.fullmatch(parts.netloc) or parts.path not in {"", "/"} or parts.fragment:
        raise NoRoleError(f"the request is not for STS, https://sts.REGION.amazonaws.com/, but for {shown.url[:80]!r}")
    told = dict(query)
    if len(told) != len(query) or not _REQUIRED <= told.keys() <= _ALLOWED:
        odd = sorted(told.keys() ^ _REQUIRED)
        raise NoRoleError(f"the request has other parameters than a pre-signed GetCallerIdentity: {odd!r:.200}")
    if any(told[name] != value for name, value in _ACTION):
        raise NoRoleError(f"the request is no GetCallerIdentity, but {told['Action']!r:.80}")
    if told["X-Amz-Algorithm"] != presigned.ALGORITHM or told["X-Amz-SignedHeaders"] != _SIGNED:
        raise NoRoleError(f"the request is to be signed with {presigned.ALGORITHM} over {_SIGNED}")
    if not re.fullmatch(r"[0-9]{1,3}", told["X-Amz-Expires"], re.ASCII) or int(told["X-Amz-Expires"]) > LONGEST_S:
        raise NoRoleError(f"the request is valid {told['X-Amz-Expires']!r:.40} s; at most {LONGEST_S} s")
    return Question(parts.netloc, presigned.encoded(query), _headers(shown, audiences, session))


def _headers(shown: StsRequest, audiences: Sequence[str], session: str) -> dict[str, str]:
    """Return the headers that were signed with the request: our audience and the session, and no other."""
    headers = {name.lower(): value for name, value in shown.headers.items()}
    if len(headers) != len(shown.headers) or headers.keys() != {AUDIENCE, SESSION}:
        raise NoRoleError(f"the request has the headers {shown.headers!r:.200}; expected {AUDIENCE} and {SESSION}")
    if headers[AUDIENCE] not in audiences:
        raise NoRoleError(f"the request is for {headers[AUDIENCE]!r:.80}; expected {' or '.join(audiences)}")
    if headers[SESSION] != session:
        raise NoRoleError(f"the request is of the session {headers[SESSION]!r:.80}, and was shown in {session}")
    return headers


def answer(body: bytes) -> Caller:
    """Return what STS says, as JSON. Raises NoRoleError."""
    try:
        found: Any = json.loads(body)
        arn = found["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Arn"]
    except (ValueError, KeyError, TypeError, RecursionError) as cause:
        raise NoRoleError(f"STS's answer cannot be read: {cause!r:.200}") from cause
    role = _ROLE.fullmatch(arn) if isinstance(arn, str) else None
    if role is None:
        raise NoRoleError(f"STS knows the sender as {arn!r:.200}, which is not in a role")
    return Caller(*role.groups())


def belongs(caller: Caller, identity: str) -> bool:
    """Tell whether a caller is the EC2 machine of this name: in a machine's own role the session is the instance's id.

    So nobody shows the role of another machine, nor one that somebody on this machine assumed besides.
    """
    start = f"aws-{caller.partition}-{caller.account}-"
    return identity.startswith(start) and identity.endswith(f"-ec2-{caller.session}")
