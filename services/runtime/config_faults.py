"""The words for a configuration that cannot be used: each bad field, where its value came from, what to do."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

ENV_PREFIX = "MUSTER_"
"""What the environment variables of settings begin with."""


class Sources(NamedTuple):
    """What was given besides the environment: the command line's settings, the file and what it holds."""

    overrides: Mapping[str, object]
    file: Path | None
    content: Mapping[str, Any]


def explained(cls: type[BaseModel], error: ValidationError, sources: Sources) -> str:
    """Return a line per bad field: what is wrong, what was found, where it came from."""
    lines = ["the configuration cannot be used:"]
    for fault in error.errors(include_url=False, include_context=False):
        path = tuple(str(part) for part in fault["loc"])
        words = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            words = f"no such setting{_nearest(cls, path)}"
        elif (
            fault["type"] != "missing" and isinstance(fault["input"], str | int | float) and "password" not in path[-1]
        ):
            words += f"; found {str(fault['input'])[:80]!r}"
        lines.append(f"  {'.'.join(path)}: {words} ({_origin(path, sources)})")
    return "\n".join(lines)


def _origin(path: tuple[str, ...], sources: Sources) -> str:
    """Say which source gave the value at ``path``, or where one could be given."""
    if _holds(sources.overrides, path):
        return "from the command line"
    environment = {name.upper() for name in os.environ}
    for length in range(len(path), 0, -1):
        outer = ENV_PREFIX + "__".join(path[:length]).upper()
        if outer in environment:
            return f"from the environment variable {outer}"
    if sources.file is not None and _holds(sources.content, path):
        return f"from {sources.file}"
    variable = ENV_PREFIX + "__".join(path).upper()
    return f"give it as {variable}, in a --config file, or with --set {'.'.join(path)}=…"


def _holds(source: object, path: tuple[str, ...]) -> bool:
    for part in path:
        if isinstance(source, list) and part.isdecimal() and int(part) < len(source):
            source = source[int(part)]
        elif isinstance(source, Mapping) and part in source:
            source = source[part]
        else:
            return False
    return True


def _nearest(cls: type[BaseModel], path: tuple[str, ...]) -> str:
    model: type[BaseModel] = cls
    for part in path[:-1]:
        field = model.model_fields.get(part)
        inner = [t for t in (get_args(field.annotation) or (field.annotation,)) if t is not NoneType] if field else []
        if len(inner) != 1 or not (isinstance(inner[0], type) and issubclass(inner[0], BaseModel)):
            return ""
        model = inner[0]
    near = difflib.get_close_matches(path[-1], model.model_fields, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(model.model_fields)}"
