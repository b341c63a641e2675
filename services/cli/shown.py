"""Which happenings of a fold are to be shown, and whether there was anything to look at."""

from services.processor.core.record import Record
from services.replay.chunks import Chunk, Gap, Item
from services.replay.labels import Labels
from services.replay.refold import Happening, Noted, Refold, Transition
from services.replay.selection import Cut, Selection


class Shown:
    """Which happenings lie in the range that is to be shown, and are of workloads that are meant."""

    def __init__(self, selection: Selection, labels: Labels) -> None:
        self._selection = selection
        self._labels = labels
        self._cuts: dict[int, Cut] = {}
        self._looked: dict[int, Cut] = {}
        self._labelled: set[bytes] = set()
        self._ranged = False
        self._met = False

    @property
    def _of_all(self) -> bool:
        """Whether no workload is chosen from the others."""
        chosen = self._selection.filter
        return (
            not self._labels.requirements and not chosen.namespace and all(t.name == "partition" for t in chosen.terms)
        )

    def look(self, item: Item) -> None:
        """Take note of whether records lie in the range, and of those that are meant."""
        if self._met or not isinstance(item, Chunk):
            return
        cut = self._looked.setdefault(item.partition, Cut(self._selection, item.partition))
        for record in item.records:
            if cut.takes(record):
                self._ranged = True
                named = Record(record.offset, record.timestamp, record.key, None)
                if not self._labels.requirements and self._selection.filter.takes(item.partition, named):
                    self._met = True
                    return

    def nothing(self, refold: Refold) -> bool:
        """Whether the range has no record, or nobody was ever there who is meant: a check saw nothing then."""
        if self._met:
            return False
        return not self._ranged or not any(self._of_interest(refold, number) for number in refold.standings)

    def takes(self, happening: Happening, refold: Refold) -> bool:
        """Whether one is to be shown; what befell a partition is, where it befell somebody who is meant."""
        if isinstance(happening, Gap):
            return True
        place = happening.place
        key = happening.key if isinstance(happening, Transition) else None
        record = Record(place.offset, place.time_ms, key, None)
        labelled = not isinstance(happening, Transition) or self._has_labels(happening)
        cut = self._cuts.setdefault(place.partition, Cut(self._selection, place.partition))
        if not cut.takes(record) or not labelled:
            return False
        if isinstance(happening, Noted):
            return self._of_interest(refold, place.partition)
        taken = self._selection.filter.takes(place.partition, record)
        self._met = self._met or taken
        return taken

    def _of_interest(self, refold: Refold, partition: int) -> bool:
        """Whether the partition has a workload that is meant."""
        chosen = self._selection.filter
        if self._of_all:
            return chosen.takes(partition, Record(0, 0, None, None))
        rows = refold.standings[partition].roll.rows.items()
        return any(
            chosen.takes(partition, Record(0, 0, key, None))
            and self._labels.match(row.introduction().registration.workload.labels)
            for key, row in rows
        )

    def _has_labels(self, one: Transition) -> bool:
        """Whether the workload reports labels that are meant; a forgotten one is what it was."""
        if not self._labels.requirements:
            return True
        if one.state is None:
            meant = one.key in self._labelled
        else:
            meant = self._labels.match(one.state.workload.registration.workload.labels)
        (self._labelled.add if meant and one.state is not None else self._labelled.discard)(one.key)
        return meant
