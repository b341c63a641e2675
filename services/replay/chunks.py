"""What every source of a replay yields, be it a cluster, a recording or stdin: records in chunks, and the gaps.

Offsets of one partition rise; what lies between two successive records is either nothing, or a ``Gap`` was yielded.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from services.processor.core.record import Appended


class Why(StrEnum):
    """Why there are no records at some offsets."""

    MARKERS = "markers"
    """The log never had records there: Kafka keeps the markers of transactions at offsets of their own."""
    RETENTION = "retention"
    """They were there, and the topic's retention deleted them."""
    COMPACTION = "compaction"
    """They were there, and the topic's compaction deleted them."""
    UNKNOWN = "unknown"
    """The source does not say."""


class Gap(NamedTuple):
    """Offsets ``start`` to before ``end`` of a partition have no records."""

    topic: str
    partition: int
    start: int
    end: int
    why: Why

    @property
    def lost(self) -> bool:
        """Whether records were there that a fold would have needed."""
        return self.why is not Why.MARKERS

    @property
    def words(self) -> str:
        """The gap for people."""
        kind = {
            Why.MARKERS: "hold markers of transactions",
            Why.RETENTION: "were deleted by retention",
            Why.COMPACTION: "were deleted by compaction",
            Why.UNKNOWN: "are missing",
        }[self.why]
        return f"{self.topic}[{self.partition}]: offsets {self.start} to {self.end - 1} {kind}"


class Chunk(NamedTuple):
    """Successive records of one partition."""

    topic: str
    partition: int
    records: Sequence[Appended]


Item = Chunk | Gap
