"""Writes a recording to a file, frame by frame, so that whatever interrupts it leaves something to go on from.

The header stands in the file before the first record is read, and what was read stands there some seconds later.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from services.identity.core.bundle import TrustBundle
from services.replay.aside import blocks
from services.replay.chunks import Chunk, Item
from services.replay.cluster import Live, opened
from services.replay.recording import (
    Header,
    Range,
    RecordedTopic,
    RecordingError,
    Tally,
    Trailer,
    configuration_digest,
)
from services.replay.redaction import Redactor
from services.replay.selection import Bound, Selection
from services.replay.snapshots import Snapshot, beginnings
from services.replay.source import unless_stopped, until
from services.replay.tape import Remains, Writer
from services.runtime.config import KafkaSettings

_TELLING = ("cleanup.policy", "message.timestamp.type", "retention.bytes", "retention.ms")
"""Settings of a topic that say how its records are to be read."""
FLUSH_S = 2.0
"""What was read waits so long, in seconds, at most until the next record, for its frame to become full."""
Progress = Callable[[int, int], None]
"""Is told how many offsets are recorded, of how many."""


@dataclass(frozen=True)
class Order:
    """What is to be recorded."""

    topics: tuple[str, ...]
    selection: Selection
    first: str | None = None
    last: str | None = None
    rules: Mapping[str, int | float] | None = None
    """The processor's, where they are known."""
    redactor: Redactor | None = None
    bundles: tuple[TrustBundle, ...] = ()
    """What identities are to be verified by when it is replayed."""
    snapshot: Snapshot | None = None
    """The state before what is recorded of ``muster.events``, which then begins where a fold from it does."""
    warn: Callable[[str], None] = lambda _words: None
    """Is told what somebody should know of the recording."""

    def range_of(self, topic: str) -> Selection:
        """Return what of a topic is to be read."""
        if self.snapshot is None or topic != EVENTS:
            return self.selection
        places = {number: begun.resume for number, begun in beginnings(self.snapshot).items()}
        return replace(self.selection, start=Bound(places=places))


async def record(
    path: Path, settings: KafkaSettings, order: Order, stopping: asyncio.Event, progress: Progress
) -> Trailer:
    """Write a new recording; raises FileExistsError where the file is there."""
    async with AsyncExitStack() as stack:
        lives = [
            await unless_stopped(stack.enter_async_context(opened(settings, name, order.range_of(name))), stopping)
            for name in order.topics
        ]
        for live in lives:
            order.selection.check(live.topic, range(live.partitions))
        with path.open("xb") as file:
            return await _run(file, Writer(Tally(_header(lives, order))), lives, order, stopping, progress)


async def resume(
    path: Path, settings: KafkaSettings, order: Order, stopping: asyncio.Event, progress: Progress
) -> Trailer | None:
    """Go on where a recording ends; None where it is complete. The header in the file says what is to be recorded."""
    with path.open("r+b") as file:
        remains = Remains(blocks(file))
        if remains.complete:
            return None
        header = remains.tally.header
        if header.selector != order.selection.filter.words:
            raise RecordingError(f"it selects {header.selector or 'everything'}: give the same -n and -l to resume it")
        if header.redacted != (order.redactor.fingerprint if order.redactor else None):
            raise RecordingError(
                "it is redacted with another key: give --redact and the --redact-key of then"
                if header.redacted
                else "it is not redacted: resume it without --redact"
            )
        async with AsyncExitStack() as stack:
            lives = [
                await unless_stopped(
                    stack.enter_async_context(opened(settings, one.name, order.selection, _left(one, remains.tally))),
                    stopping,
                )
                for one in header.topics
            ]
            for live in lives:
                if live.cluster != header.cluster:
                    raise RecordingError(
                        f"it is of cluster {header.cluster}, but {settings.bootstrap_servers} is {live.cluster}"
                    )
            _check_configuration(header, lives, order)
            file.seek(remains.keep)
            file.truncate()
            return await _run(file, Writer(remains.tally, begun=True), lives, order, stopping, progress)


def _check_configuration(header: Header, lives: list[Live], order: Order) -> None:
    """Refuse to go on under another configuration where a log would read otherwise; say where it may.

    Raises ``RecordingError``.
    """
    rules = header.rules if order.rules is None else dict(order.rules)
    if rules != header.rules:
        raise RecordingError("it is to be replayed by other rules than those given: give the --config or --set of then")
    now = tuple(
        one.model_copy(update={"partitions": live.partitions, "config": _telling(live)})
        for one, live in zip(header.topics, lives, strict=True)
    )
    for one, was in zip(now, header.topics, strict=True):
        if one.partitions != was.partitions:
            raise RecordingError(
                f"{one.name} had {was.partitions} partitions and has {one.partitions}: keys lie elsewhere since, "
                "record what came later in another file"
            )
    if configuration_digest(now, rules) != header.configuration:
        changed = [one.name for one, was in zip(now, header.topics, strict=True) if one.config != was.config]
        order.warn(f"the configuration of {', '.join(changed)} is not what it was when the recording was begun")


def _telling(live: Live) -> dict[str, str]:
    return {name: live.config[name] for name in _TELLING if name in live.config}


def _left(topic: RecordedTopic, tally: Tally) -> dict[int, tuple[int, int]]:
    """Return from where to where each partition is still to be recorded."""
    return {one.partition: (tally.position(topic.name, one.partition), one.end) for one in topic.ranges}


def _header(lives: list[Live], order: Order) -> Header:
    topics = tuple(
        RecordedTopic(
            name=live.topic,
            partitions=live.partitions,
            ranges=tuple(
                Range(partition=number, start=one.asked, end=max(one.end, one.asked))
                for number, one in sorted(live.extents.items())
            ),
            config=_telling(live),
        )
        for live in lives
    )
    rules = dict(order.rules or {})
    return Header(
        cluster=lives[0].cluster,
        topics=topics,
        first=order.first,
        last=order.last,
        selector=order.selection.filter.words,
        rules=rules,
        redacted=order.redactor.fingerprint if order.redactor else None,
        bundles=order.bundles,
        snapshot=order.snapshot,
        configuration=configuration_digest(topics, rules),
    )


async def _run(
    file: BinaryIO, writer: Writer, lives: list[Live], order: Order, stopping: asyncio.Event, progress: Progress
) -> Trailer:
    done, total = 0, sum(live.total for live in lives)
    complete = True
    clock = asyncio.get_running_loop().time
    _write(file, writer.flush())
    due = clock() + FLUSH_S
    # What the loop leaves early, by a signal or an error of Kafka's, is closed as a part: whole as far as it goes.
    for live in lives:
        async for item in until(live.items(), stopping):
            if (kept := _kept(item, order)) is not None:
                _write(file, writer.take(kept))
            if clock() >= due:
                _write(file, writer.flush())
                due = clock() + FLUSH_S
            done += len(item.records) if isinstance(item, Chunk) else 0
            progress(done, total)
        complete = complete and not stopping.is_set()
        if complete:
            for number, one in live.extents.items():
                writer.tally.pass_to(live.topic, number, one.end)
    _write(file, writer.finish(complete=complete))
    return writer.tally.trailer(complete=complete)


def _write(file: BinaryIO, frames: bytes) -> None:
    """Hand whole frames to the system at once: what waits in this process dies with it."""
    if frames:
        file.write(frames)
        file.flush()


def _kept(item: Item, order: Order) -> Item | None:
    """Return what is to be recorded of a chunk; the processor's own records always are, or no window would close."""
    if not isinstance(item, Chunk):
        return item
    chooser = order.selection.filter
    if not chooser.everything:
        records = [one for one in item.records if one.key == CONTROL_KEY or chooser.takes(item.partition, one)]
        if not records:
            return None
        item = item._replace(records=records)
    return order.redactor.chunk(item) if order.redactor else item
