"""The state at an earlier point, from the changelog of the processor's table; read by assignment, nothing is written.

Every row says of which record it tells. The rows of records before an offset are the state before it, as far as
compaction has left them: what it took is said to be unknown, never guessed.
"""

from collections.abc import Callable, Mapping

from schemas.topics import PRESENCE_CHANGELOG
from services.processor.changelog import Changelog, revision_of
from services.replay.chunks import Chunk
from services.replay.cluster import opened
from services.replay.selection import Selection
from services.replay.snapshots import Part, Snapshot, SnapshotError, has_roll, part_from
from services.runtime.config import KafkaSettings

SOURCE = "the processor's changelog"


class _Past:
    """What the changelog of one partition tells of the state before an offset."""

    def __init__(self, before: int | None) -> None:
        self.before = before
        self.rows = Changelog()
        self.earlier: set[bytes] = set()
        self.later: set[bytes] = set()
        self.compacted = False

    def take(self, offset: int, key: bytes, value: bytes | None, revision: int) -> None:
        if self.before is not None and revision >= self.before:
            self.later.add(key)
            return
        self.earlier.add(key)
        self.rows.apply(offset, key, value, revision)

    def part(self, partition: int) -> Part:
        lost = self.later - self.earlier if self.compacted else set()
        if has_roll(lost):
            raise SnapshotError(
                f"the changelog no longer has the state of partition {partition} before offset {self.before}: its "
                "compaction took it; give --snapshot FILE, or leave it out and fold from where the log begins"
            )
        words = f"{len(lost)} workloads changed later, and the changelog no longer has what they were before"
        return part_from(partition, self.rows.rows(), [words] if lost else [])


async def changelog_snapshot(
    settings: KafkaSettings,
    before: Mapping[int, int | None],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Snapshot:
    """Return the state before an offset of each partition; before None: all that is durable.

    ``progress`` is told how many offsets were read, of how many. Raises ``SnapshotError`` where compaction took it, or
    where somebody else wrote into the changelog.
    """
    pasts = {number: _Past(offset) for number, offset in before.items()}
    async with opened(settings, PRESENCE_CHANGELOG, Selection()) as live:
        done = 0
        async for item in live.items():
            done += len(item.records) if isinstance(item, Chunk) else item.end - item.start
            progress(done, live.total)
            past = pasts.get(item.partition)
            if past is None:
                continue
            if not isinstance(item, Chunk):
                past.compacted = past.compacted or item.lost
                continue
            for record in item.records:
                where = f"{item.topic}[{item.partition}] offset {record.offset}"
                if record.key is None:
                    raise SnapshotError(f"{where} has no key: no processor wrote it")
                headers = list(getattr(record, "headers", ()))
                past.take(record.offset, record.key, record.value, revision_of(headers, where))
        parts = tuple(past.part(number) for number, past in sorted(pasts.items()))
        return Snapshot(source=SOURCE, cluster=live.cluster, partitions=live.partitions, parts=parts)
