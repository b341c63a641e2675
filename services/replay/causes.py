"""Which record brought a state about, in words: type, session, time and place; values only.

Kept are the records of which live states tell, and the newest of each workload: memory depends on workloads.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

from schemas.codec import Rejection, decode_event
from services.processor.core.record import Appended
from services.replay.chunks import Chunk, Item
from services.replay.comparing import View
from services.replay.lines import to_time
from services.replay.refold import Transition


class Causes:
    """Takes what is read, and knows the records in it that matter."""

    def __init__(self, views: Iterable[View]) -> None:
        self._wanted: defaultdict[int, set[int]] = defaultdict(set)
        for view in views:
            for seen in view.states.values():
                self._wanted[seen.partition].add(seen.revision)
        self._told: dict[str, str] = {}
        self._newest: dict[bytes, tuple[str, str]] = {}

    def look(self, item: Item) -> None:
        """Take what is read."""
        if isinstance(item, Chunk) and (wanted := self._wanted.get(item.partition)):
            for record in item.records:
                if record.offset in wanted:
                    place, words = _told(item.partition, record)
                    self._told[place] = words

    def take(self, one: Transition, item: Item) -> None:
        """Take a transition, and what it was read with."""
        if isinstance(item, Chunk):
            index = bisect_left(item.records, one.place.offset, key=lambda record: record.offset)
            if index < len(item.records) and item.records[index].offset == one.place.offset:
                self._newest[one.key] = _told(item.partition, item.records[index])

    def words(self, key: bytes, place: str) -> str:
        """Return the record at ``partition:offset`` in words, where it was read."""
        newest, words = self._newest.get(key, ("", ""))
        return (
            self._told.get(place) or (words if newest == place else "") or f"the record at {place}, which was not read"
        )


def _told(partition: int, record: Appended) -> tuple[str, str]:
    event = decode_event(record.key, record.value)
    what = "unreadable record" if isinstance(event, Rejection) else event.type
    session = getattr(event, "session", None)
    of = f" of session {session}" if session is not None else ""
    place = f"{partition}:{record.offset}"
    return place, f"the {what}{of} at {to_time(record.timestamp)} ({place})"
