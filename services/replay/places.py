"""A place in a log as it is written on a command line: an offset, offsets of partitions, or a time; values only.

What could be read as both a time and an offset of a partition is refused: a check must not look elsewhere than it was
told to. Two digits, a colon and two digits are always a time.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from services.replay.moments import Reach, milliseconds, relative, written
from services.replay.selection import Bound, SelectionError

_PLACES = re.compile(r"[0-9]+:[0-9]+(,[0-9]+:[0-9]+)*")
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}")
_LIKE_A_CLOCK = re.compile(r"([0-9]):([0-5][0-9])")
_ANY = Reach(datetime.min.replace(tzinfo=UTC))
"""Of a time that depends on no log."""


def bound(text: str, reach: Callable[[], Reach]) -> Bound | None:
    """Return the bound in ``text``: an offset, ``partition:offset,…``, or the beginning of a time.

    ``reach`` is asked only where a time depends on it. None is ``beginning`` or ``end``: no bound. Raises
    ``SelectionError``, and what ``reach`` does.
    """
    if text in {"beginning", "end"}:
        return None
    if text.isascii() and text.isdecimal():
        return Bound(offset=int(text))
    if both := _LIKE_A_CLOCK.fullmatch(text):
        raise SelectionError(
            f"{text} could be a time or an offset: write 0{text} for the time, and -p {both[1]} with the offset "
            f"{both[2]} for that of partition {both[1]}"
        )
    if _PLACES.fullmatch(text) and not _CLOCK.fullmatch(text):
        pairs = [place.split(":") for place in text.split(",")]
        return Bound(places={int(partition): int(offset) for partition, offset in pairs})
    try:
        if not relative(text):
            return Bound(time_ms=milliseconds(written(text, _ANY).begin))
        return Bound(time_ms=milliseconds(written(text, reach()).begin))
    except ValueError as cause:
        if isinstance(cause, SelectionError):
            raise
        raise SelectionError(
            f"{text}: expected an offset (120), partition:offset (2:120), a time (2026-11-23T03:12:00Z, 03:12), "
            "how long before the end (15m), or one of beginning and end"
        ) from None
