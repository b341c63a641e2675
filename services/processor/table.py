"""The presence table: Faust recovers it from the changelog, and the rolls are made of its rows.

Rows are written by the effects of the fold (``Ownership``), never through Faust's dictionary, which costs 110 µs a
row and keeps rows of lost partitions. What is kept here is what was last read of the changelog.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import faust

from schemas.topics import PRESENCE_CHANGELOG, PRESENCE_TABLE
from services.processor.changelog import Changelog, revision_of
from services.processor.chunk import Chunk, LostRecordsError

RestoredCallback = Callable[[dict[int, Changelog]], None]


class PresenceTable(faust.Table):  # type: ignore[misc]  # Faust has no usable types
    """One changelog per partition; of each key the newest revision."""

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - faust.App
        restored: RestoredCallback,
        fatal: Callable[[BaseException], None],
        **kwargs: Any,  # noqa: ANN401 - handed on to Faust
    ) -> None:
        super().__init__(app, name=PRESENCE_TABLE, key_type=bytes, value_type=bytes, **kwargs)
        self._restored = restored
        self._fatal = fatal
        self._changelogs: defaultdict[int, Changelog] = defaultdict(Changelog)

    def persisted_offset(self, tp: Any) -> int:  # noqa: ANN401 - faust.types.TP
        """Return the last changelog offset that was applied: recovery reads on from there."""
        return self._changelogs[tp.partition].read

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Apply chunks of the changelog that Faust read."""
        try:
            for event in batch:
                self._apply(event.message.chunk)
        except Exception as error:
            self._fatal(error)  # Faust would log it and go on
            raise

    def _apply(self, chunk: Chunk) -> None:
        changelog = self._changelogs[chunk.partition]
        if chunk.after is not None and chunk.after != changelog.read:
            raise LostRecordsError(
                f"{PRESENCE_CHANGELOG}[{chunk.partition}]: rows after offset {chunk.after} were delivered, expected "
                f"after {changelog.read}"
            )
        for record in chunk.records:
            where = f"{PRESENCE_CHANGELOG}[{chunk.partition}] offset {record.offset}"
            changelog.apply(record.offset, record.key, record.value, revision_of(record.headers, where))

    async def on_recovery_completed(self, active_tps: set[Any], standby_tps: set[Any]) -> None:
        """Hand over the rows of the partitions that are ours now, and forget those of others."""
        ours = {tp.partition for tp in active_tps}
        for partition in self._changelogs.keys() - ours:
            del self._changelogs[partition]
        try:
            self._restored({partition: self._changelogs[partition] for partition in ours})
        except Exception as error:
            self._fatal(error)  # Faust would drop it unseen
            raise
        await super().on_recovery_completed(active_tps, standby_tps)
