"""Where records come from: a live cluster, a recording, or stdin; all look alike from here on."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from services.replay.aside import STDIN, aside, blocks, unbuffered, waits
from services.replay.chunks import Chunk, Item
from services.replay.cluster import Live, opened
from services.replay.moments import Reach
from services.replay.reach import recorded
from services.replay.recording import Header, RecordingError, Trailer
from services.replay.selection import Cut, Selection
from services.replay.tape import Tape
from services.runtime.config import KafkaSettings

T = TypeVar("T")


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
    file: Path | None = None
    """Where it can be read again."""

    @property
    def header(self) -> Header | None:
        """The header, where it is a recording."""
        return self.tape.header if self.tape is not None else None

    @property
    def complete(self) -> bool:
        """Whether it holds all that was asked for when it was recorded, as far as its end was read."""
        return self.trailer is None or self.trailer.complete

    async def reach(self, topic: str) -> Reach | None:
        """Return from when to when the whole log tells, where that can be looked up; it is read no further then."""
        if self.live is not None:
            return await self.live.reach()
        return recorded(self.file, topic) if self.file is not None else None

    def check(self, topic: str, selection: Selection) -> None:
        """Raise ``SelectionError`` where partitions are meant that are not there, as far as that is known."""
        if self.header is not None:
            selection.check(topic, [one.partition for one in self.header.topic(topic).ranges])
        elif self.partitions is not None:
            selection.check(topic, range(self.partitions))

    @property
    def trailer(self) -> Trailer | None:
        """The trailer of a recording that was read to its end."""
        return self.tape.trailer if self.tape is not None else None


@asynccontextmanager
async def source(
    where: Path | None, settings: KafkaSettings, topic: str, selection: Selection, name: str | None = None
) -> AsyncIterator[Source]:
    """Open a file, stdin (``-``) or, where ``where`` is None, the cluster; ``name`` is what a file is called in words.

    Raises ``RecordingError``, ``SelectionError``, OSError.
    """
    if where is None:
        async with opened(settings, topic, selection) as live:
            yield Source(settings.bootstrap_servers, live.items, live.partitions, live.cluster, live.total, live=live)
    elif where == STDIN:
        file = unbuffered(sys.stdin.buffer)
        yield await aside(lambda: _taped(name or "stdin", file, topic, selection, waits=True))
    elif not waits(where):
        with where.open("rb") as file:
            found = _taped(name or str(where), file, topic, selection)
            found.file = where
            yield found
    else:
        with await aside(lambda: where.open("rb")) as pipe:
            raw = unbuffered(pipe)
            yield await aside(lambda: _taped(name or str(where), raw, topic, selection, waits=True))


def _taped(name: str, file: BinaryIO | FileIO, topic: str, selection: Selection, *, waits: bool = False) -> Source:
    try:
        tape = Tape(blocks(file))
        found = Source(name, lambda: _selected(name, tape, topic, selection, waits=waits), tape=tape)
        if tape.header is not None:
            recorded = tape.header.topic(topic)
            found.partitions, found.cluster = recorded.partitions, tape.header.cluster
            found.total = sum(one.end - one.start for one in recorded.ranges)
    except RecordingError as cause:
        raise RecordingError(f"{name}: {cause}") from None
    return found


async def _selected(name: str, tape: Tape, topic: str, selection: Selection, *, waits: bool) -> AsyncIterator[Item]:
    cuts: dict[int, Cut] = {}
    items = tape.items()
    try:
        # Each step lets others run: whoever reads on and on would never hear that it is to stop.
        while (item := await _step(items, waits=waits)) is not None:
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


async def _step(items: Iterator[Item], *, waits: bool) -> Item | None:
    if waits:
        return await aside(lambda: next(items, None))
    await asyncio.sleep(0)
    return next(items, None)


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


async def until(items: AsyncIterator[T], stopping: asyncio.Event) -> AsyncGenerator[T, None]:
    """Yield items until there are no more, or the process is told to stop, even while it waits for one."""
    stopped = asyncio.ensure_future(stopping.wait())
    following: asyncio.Future[T] | None = None
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
            await asyncio.wait({following})  # what it read can be closed then
