"""Reading what may keep silent for ever, stdin above all, without holding up the signals of whoever wants to stop."""

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, TypeVar

from services.replay.recording import RecordingError

STDIN = Path("-")
T = TypeVar("T")
_BLOCK = 256 * 1024
MOST_KEPT = 8 * 1024**3
"""So many bytes of stdin are kept to be read again."""


def waits(where: Path) -> bool:
    """Whether reading may wait for whoever writes, and only one reading is to be had: stdin and pipes."""
    return where == STDIN or (where.exists() and not where.is_file())


def blocks(file: BinaryIO | FileIO) -> Iterator[bytes]:
    """Yield what a file holds, as it comes: stdin may be a pipe that is still being written."""
    read = getattr(file, "read1", file.read)
    while block := read(_BLOCK):
        yield block


def unbuffered(file: BinaryIO) -> BinaryIO | FileIO:
    """Return the same file without Python's buffer, whose lock a thread that waits in it would hold for ever."""
    try:
        return FileIO(file.fileno(), closefd=False)
    except OSError:
        return file  # it is none of the operating system's


async def aside(step: Callable[[], T]) -> T:
    """Return what a step that may wait comes to; nobody waits for its thread when the program ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(settle: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: whoever asked is gone
            loop.call_soon_threadsafe(lambda: None if done.done() else settle())

    def run() -> None:
        try:
            result = step()
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            cause = error
            finish(lambda: done.set_exception(cause))
        else:
            finish(lambda: done.set_result(result))

    threading.Thread(target=run, daemon=True).start()
    return await done


@asynccontextmanager
async def rereadable(where: Path, stdin: BinaryIO) -> AsyncIterator[Path]:
    """Yield a file that can be read several times: ``-`` and pipes are kept in the temporary folder meanwhile.

    Raises ``RecordingError`` where that is more than ``MOST_KEPT``, OSError.
    """
    if not waits(where):
        yield where
        return
    with tempfile.NamedTemporaryFile(prefix="muster-") as copy:
        source = stdin if where == STDIN else await aside(lambda: where.open("rb"))
        coming = blocks(unbuffered(source))
        while block := await aside(lambda: next(coming, b"")):
            if copy.tell() + len(block) > MOST_KEPT:
                raise RecordingError(f"{where}: more than {MOST_KEPT >> 30} GiB: save it in a file first")
            copy.write(block)
        copy.flush()
        yield Path(copy.name)
