"""The partitions this worker owns: a roll for each, and how far each may be committed.

Its weight-bearing rule: the offset to commit is told by the roll, after every effect of what it folded was handed to
the producer (ADR 0004). What Faust acknowledges plays no part in it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from aiokafka.partitioner import murmur2

from schemas.topics import PRESENCE_CHANGELOG, REJECTED, WORKLOADS
from services.processor import metrics
from services.processor.changelog import to_headers
from services.processor.chunk import Chunk, LostRecordsError
from services.processor.core.record import Appended, CheckRole, Effect, Emit, Ignored, Notice, Reject, Store
from services.processor.core.roll import Roll
from services.processor.core.rows import encode
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust
from services.processor.refresh import Refresh, windows_of

Headers = list[tuple[str, bytes]]

SLICE = 250
"""Records folded before others get their turn: some milliseconds of work."""


class Outbox(Protocol):
    """Where effects go: written in order per partition, or the worker crashes."""

    async def post(
        self,
        topic: str,
        partition: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> None:
        """Hand a record over."""


@dataclass(slots=True)
class Owned:
    """One partition."""

    roll: Roll
    delivered: int | None = None
    """Offset of the last record delivered."""
    settled: int | None = None
    """What may be committed once everything handed over is durable; None before anything was folded."""
    refresh: Refresh = field(kw_only=True)


class Ownership:
    """Not thread-safe: used in the loop of the agent that folds and of the consumer that commits."""

    def __init__(
        self,
        rules: Rules,
        partitions: int,
        outbox: Outbox,
        trust: Trust | None = None,
        refresh_windows: int | None = None,
    ) -> None:
        """Tell every row again in ``refresh_windows``; None: as often as compaction makes it necessary."""
        self._trust = trust
        self.ask: Callable[[int, CheckRole], None] = lambda _partition, _question: None
        """Who asks STS for the role of a machine."""
        self._rules = rules
        self._refresh_windows = refresh_windows or windows_of(rules.window_ms)
        self._count = partitions
        self._outbox = outbox
        self._slice = asyncio.Lock()
        self._log = structlog.get_logger()
        self.owned: dict[int, Owned] = {}
        self.generation = -1
        self.held = True
        """Nothing is folded: the group is rebalancing, the tables are being recovered, or we are about to end."""

    def take(self, generation: int, rows: Mapping[int, Iterable[tuple[bytes, bytes]]]) -> None:
        """Become the owner of exactly the partitions in ``rows``; the rows are what the changelog has of each."""
        self.owned = {
            partition: Owned(
                Roll.restore(partition, self._rules, found, self._belongs(partition), self._trust),
                refresh=Refresh(self._refresh_windows),
            )
            for partition, found in rows.items()
        }
        self.generation = generation
        self.held = False

    def _belongs(self, partition: int) -> Callable[[bytes], bool]:
        return lambda key: (murmur2(key) & 0x7FFFFFFF) % self._count == partition

    async def hold(self) -> None:
        """Fold no more: return when the slice under way is done. What is left of its chunk stays in Kafka."""
        self.held = True
        async with self._slice:
            pass

    def lose(self) -> None:
        """Own nothing: whatever is still delivered is somebody else's, or will be read again."""
        for partition in self.owned:
            metrics.forget(partition)
        self.owned = {}

    def committable(self, partition: int) -> int | None:
        """Return the offset to commit once all that was handed over so far is durable, or None."""
        owned = self.owned.get(partition)
        return owned.settled if owned is not None else None

    async def fold(self, chunk: Chunk) -> None:
        """Fold a chunk of records and hand their effects over, slice by slice.

        A chunk of another generation is passed over, and what is left of one when ownership ends: it is read again.
        An error leaves the partition without an owner, so that nothing of it is committed, and goes up: crash.
        """
        owned = self.owned.get(chunk.partition)
        if owned is None or self.held or chunk.generation != self.generation:
            return
        if chunk.after is not None and chunk.after != owned.delivered:
            self.lose()
            raise LostRecordsError(
                f"partition {chunk.partition}: records after {chunk.after} were delivered, expected after "
                f"{owned.delivered}"
            )
        for start in range(0, len(chunk.records), SLICE):
            async with self._slice:
                if self.held or self.owned.get(chunk.partition) is not owned:
                    return
                await self._fold_slice(owned, chunk.records[start : start + SLICE])
            await asyncio.sleep(0)
        owned.delivered = chunk.records[-1].offset

    async def _fold_slice(self, owned: Owned, records: Sequence[Appended]) -> None:
        try:
            for offset, effects in owned.roll.fold_all(records):
                for effect in effects:
                    await self._perform(owned.roll.state.partition, offset, effect)
            await self._tell_again(owned.roll, owned.refresh.due(owned.roll.window, owned.roll.rows))
        except BaseException:
            # Folded but not told, also where the task was cancelled: nothing after this may be committed.
            self.lose()
            raise
        owned.settled = owned.roll.resume
        metrics.RECORDS.inc(len(records))

    async def _tell_again(self, roll: Roll, keys: Iterable[bytes]) -> None:
        """Tell states that were told before, as of the last record folded: newer than any late row of a zombie."""
        for key in keys:
            row = roll.rows[key]
            as_of = max(roll.position - 1, row.revision)
            for effect in (Emit(key, row.outcome()), Store(key, encode(row))):
                await self._perform(roll.state.partition, as_of, effect)

    async def _perform(self, partition: int, offset: int, effect: Effect) -> None:
        match effect:
            case Emit(key, value):
                await self._outbox.post(WORKLOADS, partition, key, value, [])
            case Store(key, row):
                await self._outbox.post(PRESENCE_CHANGELOG, partition, key, row, to_headers(offset))
            case Reject(key, letter, reason):
                metrics.REJECTED.labels(reason).inc()
                await self._outbox.post(REJECTED, None, key, letter, [])
            case CheckRole():
                self.ask(partition, effect)
            case Ignored(rule):
                metrics.IGNORED.labels(rule.value).inc()
            case Notice(kind, words):
                self._log.warning(words, kind=kind.value, partition=partition, offset=offset)
