"""What is made or fetched once and kept in the user's cache folder, and how it tells how far it is."""

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

Progress = Callable[[str, int, int], None]
"""Told (what is being done, steps done, steps in all; 0 where unknown). May be called from a thread."""


def cache() -> Path:
    """Return the folder for what is made once: ``MUSTER_CACHE_DIR``, or the user's cache folder."""
    return Path(os.environ.get("MUSTER_CACHE_DIR") or platformdirs.user_cache_dir("muster"))


def quietly(_what: str, _done: int, _total: int) -> None:
    """Tell nobody how far it is."""
