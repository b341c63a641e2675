"""Which happenings of a fold are to be shown."""

from services.processor.core.record import Record
from services.replay.chunks import Gap
from services.replay.labels import Labels
from services.replay.refold import Happening, Transition
from services.replay.selection import Cut, Selection


class Shown:
    """Which happenings lie in the range that is to be shown, and are of workloads that are meant."""

    def __init__(self, selection: Selection, labels: Labels) -> None:
        self._selection = selection
        self._labels = labels
        self._cuts: dict[int, Cut] = {}
        self._labelled: set[bytes] = set()

    def takes(self, happening: Happening) -> bool:
        """Whether one is to be shown."""
        if isinstance(happening, Gap):
            return True
        place = happening.place
        key = happening.key if isinstance(happening, Transition) else None
        record = Record(place.offset, place.time_ms, key, None)
        labelled = not isinstance(happening, Transition) or self._has_labels(happening)
        cut = self._cuts.setdefault(place.partition, Cut(self._selection, place.partition))
        if not cut.takes(record) or not labelled:
            return False
        return not isinstance(happening, Transition) or self._selection.filter.takes(place.partition, record)

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
