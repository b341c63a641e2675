"""OIDC tokens: who they are of, by the claims that their issuer signed (``jws``).

The clouds' own instance tokens are tokens of issuers of their kind.
"""

import re
from typing import Any

from pydantic import ValidationError

from schemas.credentials import CredentialReason
from schemas.identity import AzureIdentity, GcpIdentity, Identity, JwtIdentity
from schemas.message import complaint
from services.identity.core import ecs
from services.identity.core.attributes import attributes
from services.identity.core.bundle import IssuerKind, TrustBundle
from services.identity.core.jws import Claims, Shown, checked
from services.identity.core.verdict import RefusedError

_ZONE = re.compile(r"[a-z]+-[a-z]+[0-9]+-[a-z0-9]+")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Names of machines are told apart by the fixed shape of these two."""
_BY_NAME = (IssuerKind.JWT, IssuerKind.ECS)
"""Whose tokens are shown under the short name of their issuer."""


def verify_jwt(bundle: TrustBundle, issuer: str, token: str, shown: Shown) -> tuple[Identity, str, str]:
    """Return identity, method and key of an issuer's token: of its subject, or of an ECS task. Raises RefusedError."""
    known = bundle.issuer(issuer)
    if known is None or known.kind not in _BY_NAME:
        names = ", ".join(one.name for one in bundle.issuers if one.kind in _BY_NAME) or "none"
        raise RefusedError(CredentialReason.UNKNOWN_ISSUER, f"no issuer {issuer}; the trust bundle has {names}")
    proven = checked(bundle, (known,), token, shown)
    if known.kind is IssuerKind.ECS:
        return ecs.task(known, proven.claims), "jwt", proven.key
    identity = JwtIdentity(
        issuer=known.name, subject=_text(proven.claims, "sub"), attributes=attributes(known, proven.claims)
    )
    return Identity(jwt=identity), "jwt", proven.key


def verify_gcp(bundle: TrustBundle, token: str, shown: Shown) -> tuple[Identity, str, str]:
    """Return the same of a Google Compute Engine instance token (format=full). Raises RefusedError."""
    proven = checked(bundle, bundle.of_kind(IssuerKind.GCP), token, shown)
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


def verify_azure(bundle: TrustBundle, token: str, shown: Shown) -> tuple[Identity, str, str]:
    """Return the same of a token of a machine's system-assigned managed identity. Raises RefusedError."""
    proven = checked(bundle, bundle.of_kind(IssuerKind.AZURE), token, shown)
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
        raise RefusedError(CredentialReason.CLAIM_MISSING, f"{where}: {complaint(fault)}"[:300]) from error
