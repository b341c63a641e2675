"""From when to when a recording tells, without reading all of it where its trailer says so."""

from pathlib import Path
from typing import BinaryIO

import zstandard
from pydantic import ValidationError

from schemas.message import instant
from services.replay.aside import blocks
from services.replay.chunks import Chunk
from services.replay.lines import to_millis
from services.replay.moments import Reach
from services.replay.recording import MAGIC, RecordingError, Trailer
from services.replay.tape import Tape

_TAIL_BYTES = 256 * 1024
"""A trailer is in there, with thousands of partitions."""


def recorded(file: Path, topic: str) -> Reach | None:
    """Return the times of a topic in a recording; None: it has no record of it. Raises ``RecordingError``, OSError.

    A recording without a readable trailer is read to where it is damaged.
    """
    with file.open("rb") as raw:
        trailer = _trailer(raw)
        raw.seek(0)
        times = _read(raw, topic) if trailer is None else _told(trailer, topic)
    try:
        return Reach(instant(max(times)), instant(min(times))) if times else None
    except (OverflowError, ValueError, OSError):
        raise RecordingError(f"{file}: its times are in no calendar: give offsets") from None


def _told(trailer: Trailer, topic: str) -> list[int]:
    reached = [one for one in trailer.reached if one.topic == topic and one.records]
    return [to_millis(time) for one in reached for time in (one.first_time, one.last_time)]


def _trailer(file: BinaryIO) -> Trailer | None:
    """Return what stands in the last frame, or the last line."""
    file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
    tail = file.read()
    begin = tail.rfind(MAGIC)
    try:
        lines = zstandard.ZstdDecompressor().decompressobj().decompress(tail[begin:]) if begin >= 0 else tail
        return Trailer.model_validate_json(lines.rstrip().rpartition(b"\n")[2])
    except (zstandard.ZstdError, ValidationError):
        return None


def _read(file: BinaryIO, topic: str) -> list[int]:
    ends: list[int] = []
    try:
        for item in Tape(blocks(file)).items():
            if isinstance(item, Chunk) and item.topic == topic:
                times = [record.timestamp for record in item.records]
                ends = [min([*ends, *times]), max([*ends, *times])]
    except RecordingError:
        pass  # whoever reads it tells what is wrong with it, and where
    return ends
