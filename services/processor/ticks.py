"""The owner's clock: it appends ``Trusted``, ``Resumed`` and one tick per window to each partition it owns.

The only place of the processor that looks at a clock, and only to pace: what the ticks do is decided in the fold.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog
from aiokafka.errors import KafkaError

from schemas.events import Resumed, Tick, Trusted
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from services.identity.signing import Signer
from services.processor import metrics
from services.processor.core.pacer import Append, AppendResumed, AppendTick, AppendTrusted, Pacer, Seen
from services.processor.ownership import Ownership

LONGEST_PAUSE_S = 0.1


class Signing(NamedTuple):
    """With what the owner signs, and where it sees the end of a partition, if it does."""

    signer: Signer
    end: Callable[[int], int | None]


class Ticker:
    """Paces all partitions of one worker."""

    def __init__(
        self,
        ownership: Ownership,
        append: Callable[[str, int, bytes, bytes], Awaitable[int]],
        window_ms: int,
        bundle: Callable[[], str | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        signing: Signing | None = None,
    ) -> None:
        """``append(topic, partition, key, value)`` returns the offset, or raises KafkaError.

        ``bundle()`` is the digest of the trust bundle by which to verify from now on.
        """
        self._signing = signing
        self._ownership = ownership
        self._write = append
        self._window_ms = window_ms
        self._bundle = bundle
        self._clock = clock
        self._owner = str(uuid.uuid4())
        self._pacers: dict[int, Pacer] = {}
        self._generation = -1
        self._under_way: dict[asyncio.Task[None], float] = {}

    async def run(self) -> None:
        """Append what is due until cancelled; what is under way then may or may not be written, which is harmless."""
        pause = min(self._window_ms / 50_000, LONGEST_PAUSE_S)
        try:
            while True:
                if not self._ownership.held:
                    self._follow()
                    self._append_due()
                await asyncio.sleep(pause)
        finally:
            for task in self._under_way:
                task.cancel()

    @property
    def waiting_s(self) -> float:
        """How long the oldest record under way waits for Kafka, seconds."""
        return max((self._clock() - began for began in self._under_way.values()), default=0.0)

    @property
    def disbelieved(self) -> list[int]:
        """Partitions where the bundle in force does not list this worker's key: what it appends counts nothing."""
        own = self._signing.signer.public if self._signing is not None else ""
        rolls = ((partition, owned.roll.keys) for partition, owned in self._ownership.owned.items())
        return sorted(partition for partition, keys in rolls if keys.control and own not in keys.processors)

    def _follow(self) -> None:
        """Keep a pacer for each partition, a new one wherever somebody else may have owned it in between."""
        generation = self._ownership.generation
        if generation == self._generation:
            return
        if generation != self._generation + 1:
            self._pacers.clear()
        self._generation = generation
        self._pacers = {
            partition: self._pacers.get(partition) or Pacer(self._window_ms) for partition in self._ownership.owned
        }

    def _append_due(self) -> None:
        now_ms = self._clock() * 1000
        for partition, owned in self._ownership.owned.items():
            pacer, roll = self._pacers[partition], owned.roll
            end = self._signing.end(partition) if self._signing is not None else None
            if self._signing is not None and end is None:
                continue  # nothing was fetched yet: what is signed says where the log ended
            due = pacer.due(now_ms, Seen(roll.window, roll.position, roll.resumed, roll.named), self._bundle())
            if due is not None:
                event = self._event(due, partition, max(end or 0, roll.position))
                task = asyncio.create_task(self._append(partition, pacer, event))
                self._under_way[task] = now_ms / 1000
                task.add_done_callback(self._under_way.pop)

    def _event(self, due: Append, partition: int, end: int) -> Trusted | Resumed | Tick:
        after = end if self._signing is not None else None
        event: Trusted | Resumed | Tick
        match due:
            case AppendTrusted(bundle):
                event = Trusted(bundle=bundle, owner=self._owner, after=after)
            case AppendResumed():
                event = Resumed(owner=self._owner, after=after)
            case AppendTick(window):
                event = Tick(window=window, owner=self._owner)
        return self._signing.signer.signed(event, partition) if self._signing is not None else event

    async def _append(self, partition: int, pacer: Pacer, event: Trusted | Resumed | Tick) -> None:
        began = self._clock()
        try:
            offset = await self._write(EVENTS, partition, CONTROL_KEY, event.to_json())
        except KafkaError as cause:
            # No tick, no time: nobody expires while Kafka takes nothing.
            pacer.failed(self._clock() * 1000)
            metrics.TICK_FAILURES.inc()
            structlog.get_logger().warning(
                "no time passes: a tick was not taken", partition=partition, cause=repr(cause)
            )
            return
        ended = self._clock()
        pacer.appended(ended * 1000, offset)
        metrics.TICKS.labels(event.type).inc()
        metrics.TICK_SECONDS.observe(ended - began)
