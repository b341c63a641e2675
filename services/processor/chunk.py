"""Records as they are delivered: a chunk at a time, each with the place of the one before, so that a loss is seen."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Chunk(NamedTuple):
    """Successive records of one partition, as one fetch returned them."""

    partition: int
    generation: int
    """Generation of the consumer group in which they were fetched."""
    after: int | None
    """Offset of the record delivered before these; None for the first since the position was set."""
    records: Sequence[Any]


class LostRecordsError(Exception):
    """Records were fetched and never delivered: a bug of ours or of Faust's. Only a restart reads them again."""
