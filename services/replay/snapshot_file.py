"""A snapshot in a file: one line of JSON in a frame of zstd, with its checksum; zstdcat reads it. No file is opened."""

import json
from collections.abc import Iterable

from pydantic import ValidationError

from services.replay.frames import frames, pack
from services.replay.recording import RecordingError
from services.replay.snapshots import FORMAT, Snapshot, SnapshotError


def packed(snapshot: Snapshot) -> bytes:
    """Return the bytes of a file."""
    return pack(snapshot.to_json() + b"\n")


def unpacked(blocks: Iterable[bytes]) -> Snapshot:
    """Return the snapshot in a file. Raises ``SnapshotError``."""
    try:
        found = list(frames(blocks))
    except RecordingError:
        raise SnapshotError("damaged: it cannot be decompressed; save it again") from None
    if not found:
        raise SnapshotError("it is empty: a snapshot is one line, written by muster replay --save-snapshot")
    if len(found) > 1 or not found[0].whole:
        raise SnapshotError("it was cut off, or is no snapshot, as muster replay --save-snapshot writes it")
    try:
        fields = json.loads(found[0].lines)
    except (ValueError, RecursionError):
        fields = None
    try:
        if not isinstance(fields, dict) or fields.get("type") != "snapshot":
            raise SnapshotError("it is no snapshot, as muster replay --save-snapshot writes it")
        if fields.get("v") != FORMAT:
            raise SnapshotError(f"its format is v{fields.get('v')}; this Muster reads v{FORMAT}: use a newer one")
        return Snapshot.model_validate(fields)
    except (ValueError, ValidationError) as cause:
        raise SnapshotError(f"it cannot be read: {cause}") from None
