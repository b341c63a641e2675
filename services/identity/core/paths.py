"""JSONPaths (RFC 9535) of claims: written by an operator, applied to what a stranger's token says.

The library raises more than its own errors, as regular expressions and numbers in a path are read by others; here all
of them are one, and the rest of this package knows no other.
"""

import re
from functools import lru_cache
from typing import Any

import jsonpath

_FAULTS = (
    *(jsonpath.JSONPathError, re.error, ArithmeticError, AttributeError),
    *(LookupError, RecursionError, TypeError, ValueError),
)


class PathError(Exception):
    """It is no JSONPath, or none for these claims; the text says why, the same wherever it is applied."""


def check(path: str) -> None:
    """Look whether it is a JSONPath. Raises PathError."""
    _compiled(path)


def values(path: str, claims: dict[str, Any]) -> list[Any]:
    """Return all that the path finds in the claims. Raises PathError."""
    compiled = _compiled(path)
    try:
        return compiled.findall(claims)
    except _FAULTS as cause:
        # How deep the claims may be depends on who reads them, and so would the words of the cause.
        raise PathError(f"{path[:80]} cannot be applied to the claims: {type(cause).__name__}") from cause


@lru_cache(maxsize=512)
def _compiled(path: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    try:
        return jsonpath.compile(path)
    except _FAULTS as cause:
        raise PathError(f"{path[:200]}: {str(cause) or type(cause).__name__}") from cause
