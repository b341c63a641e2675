"""Where records come from: a live cluster, a recording, or stdin; all look alike from here on."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from services.replay.chunks import Chunk, Item
from services.replay.cluster import Live, opened
from services.replay.recording import Header, RecordingError, Trailer
from services.replay.selection import Cut, Selection
from services.replay.tape import Tape
from services.runtime.config import KafkaSettings

STDIN = Path("-")
T = TypeVar("T")
_BLOCK = 256 * 1024


class StoppedError(Exception):
    """The process was told to stop before there was anything to show."""


@dataclass
class Source:
    """A topic's records, to be read once."""

    name: str
    items: Callable[[], AsyncIterator[Item]]
    partitions: int | None = None
    """How many partitions the topic has, where that is known."""
    cluster: str | None = None
    total: int | None = None
    """How many offsets there are to read, where that is known."""
    live: Live | None = None
    tape: Tape | None = None

    @property
    def header(self) -> Header | None:
        """The header, where it is a recording."""
        return self.tape.header if self.tape is not None else None

    @property
    def trailer(self) -> Trailer | None:
        """The trailer of a recording that was read to its end."""
        return self.tape.trailer if self.tape is not None else None


@asynccontextmanager
async def source(
    where: Path | None, settings: KafkaSettings, topic: str, selection: Selection
) -> AsyncIterator[Source]:
    """Open a file, stdin (``-``) or, where ``where`` is None, the cluster. Raises ``RecordingError``, OSError."""
    if where is None:
        async with opened(settings, topic, selection) as live:
            yield Source(settings.bootstrap_servers, live.items, live.partitions, live.cluster, live.total, live=live)
    elif where == STDIN:
        yield _taped("stdin", sys.stdin.buffer, topic, selection)
    else:
        with where.open("rb") as file:
            yield _taped(str(where), file, topic, selection)


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield what a file holds, as it comes: stdin may be a pipe that is still being written."""
    read = getattr(file, "read1", file.read)
    while block := read(_BLOCK):
        yield block


def _taped(name: str, file: BinaryIO, topic: str, selection: Selection) -> Source:
    try:
        tape = Tape(blocks(file))
        found = Source(name, lambda: _selected(name, tape, topic, selection), tape=tape)
        if tape.header is not None:
            recorded = tape.header.topic(topic)
            found.partitions, found.cluster = recorded.partitions, tape.header.cluster
            found.total = sum(one.end - one.start for one in recorded.ranges)
    except RecordingError as cause:
        raise RecordingError(f"{name}: {cause}") from None
    return found


async def _selected(name: str, tape: Tape, topic: str, selection: Selection) -> AsyncIterator[Item]:
    cuts: dict[int, Cut] = {}
    try:
        for item in tape.items():
            if item.topic != topic:
                continue
            cut = cuts.setdefault(item.partition, Cut(selection, item.partition))
            if not isinstance(item, Chunk):
                if not cut.ended:
                    yield item
            elif records := [record for record in item.records if cut.takes(record)]:
                yield item._replace(records=records)
    except RecordingError as cause:
        raise RecordingError(f"{name}: {cause}") from None


async def unless_stopped(work: Coroutine[Any, Any, T], stopping: asyncio.Event) -> T:
    """Return what ``work`` does, however long it waits for a broker. Raises ``StoppedError`` where it is told to stop.

    A broker may be away for ever: one signal must be enough to give up.
    """
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise StoppedError
    finally:
        stopped.cancel()
        working.cancel()
        await asyncio.wait({working})


async def until(items: AsyncIterator[Item], stopping: asyncio.Event) -> AsyncIterator[Item]:
    """Yield items until there are no more, or the process is told to stop, even while it waits for one."""
    stopped = asyncio.ensure_future(stopping.wait())
    following: asyncio.Future[Item] | None = None
    try:
        while not stopping.is_set():
            following = asyncio.ensure_future(anext(items))
            await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                item = following.result()
            except StopAsyncIteration:
                return
            yield item
    finally:
        stopped.cancel()
        if following is not None:
            following.cancel()
