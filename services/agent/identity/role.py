"""The claim ``iamRole``: a question to STS, signed with the temporary keys of the machine's own role (ADR 0010).

Only who sends it to STS learns the role. It says for which Muster and which session it is, and is good for minutes.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from pydantic import BaseModel, Field, ValidationError

from schemas.credentials import StsRequest
from services.agent.identity.source import NotYet
from services.identity.core import caller
from services.identity.core.presigned import Keys

PLACE = "/latest/meta-data/iam/security-credentials/"


class RoleKeys(BaseModel):
    """What the metadata service has of a role's keys."""

    access_key: str = Field(alias="AccessKeyId")
    secret: str = Field(alias="SecretAccessKey", repr=False)
    token: str = Field(alias="Token", repr=False)


async def role_request(
    get: Callable[[str], Awaitable[bytes | None]], region: str, audience: str, session: str
) -> StsRequest | None:
    """Return a session's claim, from what ``get(path)`` has of this machine's metadata; None where it has no role."""
    names = await get(PLACE)
    if names is None or not names.strip():
        structlog.get_logger().warning("identity.ec2.iam_role is set, but this instance has no IAM role to show")
        return None
    name = names.decode("utf-8", "replace").split()[0]
    raw = await get(PLACE + name)
    if raw is None:
        raise NotYet(f"{PLACE}{name} is not there (404) yet")
    try:
        told = RoleKeys.model_validate_json(raw)
    except ValidationError as error:
        # Not the error itself, which would show the keys.
        fields = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
        raise NotYet(f"{PLACE}{name} has no keys: {fields}") from None
    # STS judges by its own clock how old a request is: a machine whose clock is minutes off shows no role.
    keys, now = Keys(told.access_key, told.secret, told.token), datetime.now(UTC)
    try:
        return caller.request(keys, region, audience, session, now)
    except ValidationError:
        structlog.get_logger().warning("the session token of the IAM role is too long to be shown", role=name)
        return None
