"""Which records are of workloads with the labels that are meant: labels of the record, or told last before it."""

import typer

from schemas.codec import decode_event, decode_removal, decode_workload
from schemas.events import Connect, Heartbeat, Introduction
from schemas.names import CONTROL_KEY
from schemas.removals import Removal
from schemas.topics import EVENTS, REMOVALS, WORKLOADS
from schemas.workloads import Workload
from services.processor.core.record import Appended
from services.replay.labels import Labels

TELLING = (EVENTS, WORKLOADS, REMOVALS)
"""Topics whose records tell the labels of workloads."""


class Labelled:
    """Takes the records of one topic in order; what it keeps grows with the workloads that are meant."""

    def __init__(self, labels: Labels, topic: str) -> None:
        """End the command with exit code 2 where the records of the topic have no labels."""
        if labels.requirements and topic not in TELLING:
            raise typer.BadParameter(
                f"-l {labels.requirements[0].name}: only records of {', '.join(TELLING)} tell labels, those of {topic} "
                "do not"
            )
        self._labels = labels
        self._topic = topic
        self._meant: dict[bytes, bool] = {}
        self.unknown = 0
        """Records of workloads whose labels were in nothing that was read before them."""

    def takes(self, record: Appended) -> bool:
        """Whether a record is meant; what is of no workload has no labels, and never is."""
        if not self._labels.requirements:
            return True
        if record.key is None or record.key == CONTROL_KEY:
            return False
        if (told := self._told(record)) is not None:
            self._meant[record.key] = self._labels.match(told)
        meant = self._meant.get(record.key)
        self.unknown += meant is None
        return meant is True

    def _told(self, record: Appended) -> dict[str, str] | None:
        if record.value is None:
            return None
        if self._topic == WORKLOADS:
            state = decode_workload(record.value)
            return state.workload.registration.workload.labels if isinstance(state, Workload) else None
        if self._topic == REMOVALS:
            removal = decode_removal(record.value)
            return removal.spec.registration.workload.labels if isinstance(removal, Removal) else None
        match decode_event(record.key, record.value):
            case Connect(workload=Introduction() as told) | Heartbeat(workload=Introduction() as told):
                return told.registration.workload.labels
            case _:
                return None
