"""Attributes of a token's subject: what policies look at besides its name."""

import json
from typing import Any

from schemas.credentials import CredentialReason
from services.identity.core import paths
from services.identity.core.bundle import Issuer
from services.identity.core.verdict import RefusedError

LONGEST = 1024


def attributes(issuer: Issuer, claims: dict[str, Any]) -> dict[str, str]:
    """Return the configured attributes; several values of one stand in one text, with commas between them."""
    found: dict[str, str] = {}
    for name, path in sorted(issuer.attributes.items()):
        try:
            values = paths.values(path, claims)
        except paths.PathError as cause:
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
        if len(longer) <= LONGEST:
            text = longer
    return text


def _scalar(value: Any) -> str:  # noqa: ANN401 - any JSON
    return value if isinstance(value, str) else json.dumps(value)
