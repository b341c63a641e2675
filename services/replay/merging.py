"""The records of several partitions in the order of time, though each is fetched by itself.

Within a partition the order is never changed: offsets rule there, whatever the broker's clock did.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from services.processor.core.record import Appended
from services.replay.chunks import Chunk, Gap, Item


class Merge:
    """Holds back what is fetched until every partition that is not at its end has something to compare."""

    def __init__(self, partitions: Iterable[int]) -> None:
        self._waiting: dict[int, deque[Item]] = {partition: deque() for partition in partitions}
        self._finished: set[int] = set()

    @property
    def starved(self) -> set[int]:
        """Partitions of which more is needed before anything can be told."""
        return {partition for partition, items in self._waiting.items() if not items} - self._finished

    def feed(self, item: Item) -> None:
        """Take what was fetched of a partition."""
        if isinstance(item, Gap) or item.records:
            self._waiting[item.partition].append(item)

    def finish(self, partition: int) -> None:
        """Wait for nothing more of a partition."""
        self._finished.add(partition)

    def told(self) -> Iterator[Item]:
        """Yield what is known to be the oldest."""
        while not self.starved and (full := [partition for partition, items in self._waiting.items() if items]):
            first = min(full, key=lambda partition: (self._age(partition), partition))
            item = self._waiting[first].popleft()
            if isinstance(item, Gap):
                yield item
                continue
            told, rest = _split(item.records, min((self._age(other) for other in full if other != first), default=None))
            if rest:
                self._waiting[first].appendleft(item._replace(records=rest))
            yield item._replace(records=told)

    def _age(self, partition: int) -> float:
        item = self._waiting[partition][0]
        return item.records[0].timestamp if isinstance(item, Chunk) else float("-inf")


def _split(records: Sequence[Appended], before: float | None) -> tuple[Sequence[Appended], Sequence[Appended]]:
    """Split behind the records that are not younger than ``before``; the first is told in any case."""
    if before is None or records[-1].timestamp <= before:
        return records, ()
    count = 1
    while count < len(records) and records[count].timestamp <= before:
        count += 1
    return records[:count], records[count:]
