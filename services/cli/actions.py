"""The sink's writes in the story of a workload, each told once, and what of them cannot be told."""

from collections.abc import Collection

from schemas.message import instant, rfc3339
from schemas.topics import ACTIONS
from services.cli.answers import Answer
from services.cli.shelves import Shelf
from services.processor.core.record import Appended
from services.replay.core.chapters import Story


async def actions(shelf: Shelf, topics: Collection[str], story: Story) -> tuple[list[Answer], str | None]:
    """Return what the sink wrote of the story's workload, and what is not told of it; ``topics`` are those that are."""
    if ACTIONS not in topics:
        return [], f"There is no {ACTIONS} here: what the sink wrote to Kubernetes is not told."
    first: Appended | None = None
    # A batch that Kafka was slow to acknowledge is written again (ADR 0015): what is alike is one write.
    found: dict[bytes | None, Answer] = {}
    async for chunk in shelf.records(ACTIONS, story.partition):
        first = first or chunk[0]
        for record in chunk:
            if record.key == story.key:
                found.setdefault(record.value, Answer(record.offset, record.timestamp, record.value, ACTIONS))
    return list(found.values()), _untold(first, story)


def _untold(first: Appended | None, story: Story) -> str | None:
    where = f"{ACTIONS}[{story.partition}]"
    if first is None:
        return f"{where} is empty: what the sink wrote to Kubernetes is not told."
    if first.offset and story.start is not None and story.start.timestamp < first.timestamp:
        begins = f"at offset {first.offset}, {rfc3339(instant(first.timestamp))}"
        return f"{where} begins {begins}: what the sink wrote before is not told."
    return None
