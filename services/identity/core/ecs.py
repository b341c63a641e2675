"""ECS tasks: AWS signs nothing for them, so a token of a configured issuer says which task it was given to.

Where in the token each part stands is the issuer's business (``EcsClaims``); what it looks like is AWS's, and a value
of another shape is refused: names of workloads are told apart by it. The shapes are those of
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html (clusters),
…/developerguide/ecs-account-settings.html (task ids) and IAM's of role names.
"""

import re

from schemas.credentials import CredentialReason
from schemas.identity import AwsIdentity, EcsTask, Identity
from services.identity.core import paths
from services.identity.core.bundle import EcsClaims, Issuer
from services.identity.core.ec2 import partition_of
from services.identity.core.jws import Claims
from services.identity.core.verdict import RefusedError

_REGION = r"[a-z]{2,5}(-[a-z]+)+-[0-9]+"
_WITHIN = r"([a-z]|-[a-z]{3}-[0-9]+[a-z]|-wl[0-9]+-[a-z]{3}-wlz-[0-9]+)"
"""What a zone has after its region: us-east-2b, the local us-west-2-lax-1a, a carrier's us-east-1-wl1-bos-wlz-1."""
_SHAPES = {
    "partition": re.compile(r"aws(-[a-z]+)*"),
    "account": re.compile(r"[0-9]{12}", re.ASCII),
    "region": re.compile(_REGION),
    "zone": re.compile(_REGION + _WITHIN),
    "cluster": re.compile(r"[A-Za-z0-9_-]{1,255}"),
    "task_id": re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "role": re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}"),
}


def task(issuer: Issuer, claims: Claims) -> Identity:
    """Return the task that a token's claims name. Raises RefusedError where one of them is missing or not of its shape.

    Raises ValidationError for what no name has room for.
    """
    places = issuer.ecs or EcsClaims()
    found = {part: _claim(part, str(getattr(places, part)), claims) for part in _SHAPES}
    missing = next((part for part, value in found.items() if value is None and part != "role"), None)
    if missing is not None:
        words = f"it has no {missing} of a task, where {issuer.name} is to say it: {getattr(places, missing)[:80]}"
        raise RefusedError(CredentialReason.CLAIM_MISSING, words)
    told = {part: value or "" for part, value in found.items()}
    if told["partition"] != partition_of(told["region"]):
        words = f"its region {told['region']} is not of its partition {told['partition']}"
        raise RefusedError(CredentialReason.CLAIM_MISSING, words)
    if not re.fullmatch(re.escape(told["region"]) + _WITHIN, told["zone"]):
        raise RefusedError(
            CredentialReason.CLAIM_MISSING, f"its zone {told['zone']} is not of its region {told['region']}"
        )
    ecs = EcsTask(cluster=told["cluster"], task_id=told["task_id"], iam_role=found["role"])
    where = {part: told[part] for part in ("partition", "account", "region", "zone")}
    return Identity(aws=AwsIdentity(**where, ecs=ecs))


def _claim(part: str, path: str, claims: Claims) -> str | None:
    """Return the one text at a path; None where there is nothing."""
    try:
        values = [one for one in paths.values(path, claims) if one is not None]
    except paths.PathError as cause:
        raise RefusedError(CredentialReason.MALFORMED, f"{part}: {cause}") from cause
    if not values:
        return None
    if len(values) > 1:
        raise RefusedError(CredentialReason.CLAIM_MISSING, f"{path[:80]} is {len(values)} values; expected one {part}")
    if not isinstance(values[0], str) or not _SHAPES[part].fullmatch(values[0]):
        raise RefusedError(CredentialReason.CLAIM_MISSING, f"its {part} is {values[0]!r:.80}, which is none of AWS's")
    return values[0]
