"""The same log folded under other settings, beside the fold that was (ADR 0008); values only."""

from collections.abc import Iterator, Sequence

from services.processor.core.record import Appended
from services.replay.chunks import Chunk, Gap, Item, Why
from services.replay.core.rewindow import Rewindow, real
from services.replay.refold import Refold, Transition


class Supposed:
    """A fold under other settings; where their windows have another length, its ticks are recomputed."""

    def __init__(self, refold: Refold, recorded_ms: int, wanted_ms: int) -> None:
        """``refold`` has taken nothing yet, but may begin from a snapshot."""
        self.refold = refold
        self._lengths = (recorded_ms, wanted_ms) if recorded_ms != wanted_ms else None
        self._rewindows: dict[int, Rewindow] = {}

    def take(self, item: Item) -> Iterator[Transition]:
        """Yield what would have been told, each by the record of the log at which it would have been."""
        if self._lengths is None:
            yield from _transitions(self.refold, item)
        elif isinstance(item, Gap):
            yield from self._gap(item)
        else:
            standing = self.refold.standings.get(item.partition)
            told = standing.told if standing is not None else 0
            known = [one for one in item.records if one.offset < told]
            if known:  # what a snapshot was taken of is read again as it was
                yield from _transitions(self.refold, item._replace(records=known))
            yield from self._recomputed(item, item.records[len(known) :])

    def end(self) -> Iterator[Transition]:
        """Yield what comes of the records behind the last tick."""
        for partition, rewindow in self._rewindows.items():
            yield from self._folded(Chunk("", partition, list(rewindow.end())))

    def _gap(self, gap: Gap) -> Iterator[Transition]:
        rewindow = self._rewindows.get(gap.partition)
        if rewindow is not None and gap.lost:
            yield from self._folded(Chunk(gap.topic, gap.partition, list(rewindow.gap())))
        yield from _transitions(self.refold, gap)

    def _recomputed(self, item: Chunk, records: Sequence[Appended]) -> Iterator[Transition]:
        if not records:
            return
        rewindow = self._rewindows.get(item.partition)
        if rewindow is None:
            rewindow = self._rewindows[item.partition] = self._begun(item, records[0].offset)
        yield from self._folded(item._replace(records=list(rewindow.take(records))))

    def _begun(self, item: Chunk, first: int) -> Rewindow:
        if first == 0:
            # Of the recomputed offsets none is 0, but nothing is missing before the first.
            for _ in self.refold.take(Gap(item.topic, item.partition, 0, 0, Why.MARKERS)):
                pass
        standing = self.refold.standings.get(item.partition)
        recorded_ms, wanted_ms = self._lengths or (1, 1)
        if standing is None or standing.doubts:
            return Rewindow(recorded_ms, wanted_ms)
        state = standing.roll.state
        return Rewindow(recorded_ms, wanted_ms, state.window, state.opened)

    def _folded(self, chunk: Chunk) -> Iterator[Transition]:
        for one in _transitions(self.refold, chunk):
            yield one._replace(place=one.place._replace(offset=real(one.place.offset)))


def _transitions(refold: Refold, item: Item) -> Iterator[Transition]:
    for one in refold.take(item):
        if isinstance(one, Transition):
            yield one


def heard(refold: Refold, transition: Transition) -> int | None:
    """Return when the agent was last heard; None: before the range."""
    return (refold.standings[transition.place.partition].heard or {}).get(transition.key)
