"""The figures beside the page: a fault that is made again replaces its own, and the others stay."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter

from tests.chaos.trial import Figures

_FIGURES = TypeAdapter(dict[str, Figures])


def merge(page: Path, found: Mapping[str, Figures]) -> dict[str, Figures]:
    """Put what was found into the figures kept beside a page; return all of them."""
    file = page.with_suffix(".json")
    earlier = _FIGURES.validate_json(file.read_bytes()) if file.exists() else {}
    merged = {**earlier, **found}
    told = {name: one._asdict() for name, one in merged.items()}
    file.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    return merged
