"""Lines in and out of zstd, frame by frame; no file is opened here.

A frame holds whole lines and ends with a checksum, so that a file cut anywhere is whole up to some frame.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import zstandard

from services.replay.recording import MAGIC, RecordingError

FRAME_BYTES = 1024 * 1024
"""About so many bytes of lines make a frame."""
LEVEL = 6
ANEW = "nothing of it can be kept: remove the file, and record it again"


def pack(lines: bytes) -> bytes:
    """Return one frame."""
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(lines)


class Frame(NamedTuple):
    """The lines of one frame, and where it ends in the file; ``whole`` is False for one that was cut off."""

    lines: bytes
    end: int
    whole: bool = True
    packed: bool = True
    """False for lines that are not compressed."""


def frames(blocks: Iterable[bytes]) -> Iterator[Frame]:
    """Yield the frames of a recording; one without compression is a single frame per block.

    The last one may be cut off: it is yielded with what can be read of it. Raises ``RecordingError`` for damage.
    """
    source = iter(blocks)
    first = next(source, b"")
    while 0 < len(first) < len(MAGIC) and (more := next(source, b"")):
        first += more
    if first[: len(MAGIC)] == MAGIC[: len(first)] and first:
        yield from _unpacked(first, source)
    else:
        yield from _plain(first, source)


def _plain(first: bytes, source: Iterator[bytes]) -> Iterator[Frame]:
    rest, end = first, 0
    while True:
        lines, newline, rest = rest.rpartition(b"\n")
        if newline:
            end += len(lines) + 1
            yield Frame(lines + newline, end, packed=False)
        block = next(source, b"")
        if not block:
            break
        rest += block
    if rest:
        yield Frame(rest, end + len(rest), whole=False, packed=False)


def _unpacked(first: bytes, source: Iterator[bytes]) -> Iterator[Frame]:
    unpacker, lines, read, end = zstandard.ZstdDecompressor().decompressobj(), bytearray(), 0, 0
    block = first
    while block:
        try:
            lines += unpacker.decompress(block)
        except zstandard.ZstdError as cause:
            keeping = f"to keep what lies before it: truncate -s {end} FILE, then muster record --resume FILE"
            raise RecordingError(
                f"damaged: the part that begins at byte {end} cannot be decompressed ({cause}); "
                f"{keeping if end else ANEW}"
            ) from None
        rest = unpacker.unused_data if unpacker.eof else b""
        read += len(block) - len(rest)
        if unpacker.eof:
            end = read
            yield Frame(bytes(lines), end)
            unpacker, lines = zstandard.ZstdDecompressor().decompressobj(), bytearray()
        block = rest or next(source, b"")
    if read > end:
        yield Frame(bytes(lines), end, whole=False)
