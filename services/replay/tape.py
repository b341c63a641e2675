"""Reading a recording from the bytes it is made of, and writing one into bytes; whoever opens files is elsewhere."""

from collections.abc import Iterable, Iterator

from services.replay.checker import Checker
from services.replay.chunks import Gap, Item
from services.replay.frames import ANEW, FRAME_BYTES, Frame, frames, pack
from services.replay.recording import Header, RecordingError, Tally, Trailer, item_lines, message_line


class Tape:
    """A recording, read once from its beginning; bare lines of records, without header and trailer, are read too."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        """Read the beginning. Raises ``RecordingError`` where it is not that of a recording."""
        self._frames = frames(blocks)
        self._first = next(self._frames, Frame(b"", 0))
        if self._first.packed and not self._first.whole and b"\n" not in self._first.lines:
            raise RecordingError(f"it was cut off before its header was whole: {ANEW}")
        self._checker = Checker(self._first.lines)

    @property
    def header(self) -> Header | None:
        """What was recorded; None where there are only lines."""
        return self._checker.header

    @property
    def trailer(self) -> Trailer | None:
        """What vouches for it, once everything was read."""
        return self._checker.trailer

    def items(self) -> Iterator[Item]:
        """Yield the records and gaps; raises ``RecordingError`` where it is damaged, or at last where it was cut."""
        frame: Frame | None = self._first
        while frame is not None and (frame.whole or self.header is None):
            yield from self._checker.items(frame.lines)
            frame = next(self._frames, None)
        if self._checker.tally is not None and self.trailer is None:
            raise RecordingError(f"{_cut(self._checker.tally.records)}: the trailer is missing. {self._advice}")

    @property
    def _advice(self) -> str:
        """What can be done about a cut; ``Remains`` holds the same to be possible."""
        if not self._first.packed:
            return "Lines that are not compressed cannot be gone on with: record them again"
        if not self._first.whole:
            return f"Its only frame is not whole: {ANEW}"
        return "What is there can be kept, and the rest be read again from the cluster: muster record --resume FILE"


def _cut(records: int) -> str:
    return f"it was cut off behind {records} records" if records else "it was cut off before its first records"


class Writer:
    """Makes the bytes of a recording, in frames; the header has a frame of its own, which is ready at once.

    What it returns is to be written soon, and ``flush`` called every few seconds: what waits here dies with a process.
    """

    def __init__(self, tally: Tally, *, begun: bool = False) -> None:
        """``begun``: go on behind what was tallied before."""
        self.tally = tally
        self._ready = b""
        self._lines = bytearray()
        if not begun:
            self._add(message_line(tally.header))
            self._ready = self.flush()

    def take(self, item: Item) -> bytes:
        """Take a chunk or a gap; return the frames that are full, or nothing yet."""
        if isinstance(item, Gap):
            self.tally.gap(item)
        else:
            for record in item.records:
                self.tally.record(item.topic, item.partition, record)
        for line in item_lines(item):
            self._add(line)
        return self.flush() if self._ready or len(self._lines) >= FRAME_BYTES else b""

    def flush(self) -> bytes:
        """Return what waits, as a frame; nothing where nothing does."""
        ready, lines = self._ready, bytes(self._lines)
        self._ready, self._lines = b"", bytearray()
        return ready + (pack(lines) if lines else b"")

    def finish(self, *, complete: bool) -> bytes:
        """Return the last frames."""
        return self.flush() + pack(message_line(self.tally.trailer(complete=complete)))

    def _add(self, line: bytes) -> None:
        self.tally.line(line)
        self._lines += line


class Remains:
    """What a recording that was cut off or interrupted still holds, in whole frames: of others nothing is kept.

    Raises ``RecordingError`` where it cannot be gone on with.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.keep = 0
        """Bytes of the file that stay; what is behind them is to be cut off."""
        checker: Checker | None = None
        for frame in frames(blocks):
            if not frame.packed:
                raise RecordingError("lines that are not compressed cannot be gone on with: record them again")
            if not frame.whole:
                break
            checker = checker or Checker(frame.lines)
            for _ in checker.items(frame.lines):
                pass
            if checker.trailer is not None:
                if frame.lines.count(b"\n") > 1:
                    raise RecordingError("it was packed by another program: it can be replayed, but not gone on with")
                break
            self.keep = frame.end
        if checker is None:
            raise RecordingError(f"no frame of it is whole: {ANEW}")
        if checker.tally is None:
            raise RecordingError("it has no header: only a recording can be resumed, begin anew without --resume")
        self.tally = checker.tally
        self.complete = checker.trailer is not None and checker.trailer.complete
