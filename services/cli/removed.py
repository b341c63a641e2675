"""What was removed and what was brought back, from the topics: one line per workload."""

from collections.abc import Iterable
from datetime import datetime

from aiokafka import ConsumerRecord

from schemas.codec import Rejection, decode_removal, decode_restore, decode_workload
from schemas.message import instant, rfc3339
from schemas.names import WorkloadKey, parse_key
from schemas.removals import Removal, Restore
from schemas.topics import REMOVALS, RESTORES, WORKLOADS
from schemas.workloads import Presence, Workload
from services.cli.table import age
from services.replay.labels import Labels
from services.runtime.config import KafkaSettings
from services.runtime.kafka import close, read_to_end, reader
from services.sink.core.undo import Restored, in_force

HEAD = ("NAMESPACE", "NAME", "REMOVED", "STATE")
WIDE = ("GROUP", "ADDRESS", "TICK", "WINDOW", "UID", "WHY")


class Removed:
    """The newest removal of each workload, with what came after it."""

    def __init__(self) -> None:
        self.removals: dict[WorkloadKey, Removal] = {}
        self.restores: dict[WorkloadKey, Restored] = {}
        self.states: dict[WorkloadKey, Workload] = {}
        self.unreadable = 0
        """Records of removals and restores that are none."""

    async def read(self, kafka: KafkaSettings) -> None:
        """Read the three topics to their end."""
        for topic in (REMOVALS, RESTORES, WORKLOADS):
            consumer = await reader(kafka, topic)
            try:
                async for chunk in read_to_end(consumer):
                    for record in chunk:
                        self.take(record)
            finally:
                await close(consumer)

    def take(self, record: ConsumerRecord) -> None:
        """Take a record of one of the three topics."""
        takers = {REMOVALS: self._removal, RESTORES: self._restore, WORKLOADS: self._state}
        if (key := parse_key(record.key or b"")) is not None:
            takers[record.topic](key, record)

    def _removal(self, key: WorkloadKey, record: ConsumerRecord) -> None:
        told = decode_removal(record.value) if record.value is not None else None
        if isinstance(told, Removal):
            self.removals[key] = told
        self.unreadable += isinstance(told, Rejection)

    def _restore(self, key: WorkloadKey, record: ConsumerRecord) -> None:
        told = decode_restore(record.value) if record.value is not None else None
        if isinstance(told, Restore):
            self.restores[key] = Restored(told, instant(record.timestamp))
        self.unreadable += isinstance(told, Rejection)

    def _state(self, key: WorkloadKey, record: ConsumerRecord) -> None:
        if record.value is None:
            self.states.pop(key, None)
            return
        told, known = decode_workload(record.value), self.states.get(key)
        if isinstance(told, Workload) and (known is None or told.revision >= known.revision):
            self.states[key] = told

    def since(self, key: WorkloadKey) -> Workload | None:
        """Return what was said of a workload after its removal, if anything was."""
        state, removal = self.states.get(key), self.removals[key]
        if state is None or (state.presence is Presence.REMOVED and state.revision <= removal.revision):
            return None
        return state

    def state(self, key: WorkloadKey, now: datetime) -> str:
        """Say where a workload stands that was removed once."""
        if (state := self.since(key)) is not None:
            return f"back: {state.presence}"
        restored, removal = self.restores.get(key), self.removals[key]
        if restored is None or restored.order.removal.revision != removal.revision:
            return "removed"
        was = "" if in_force(restored, self.states.get(key), now) else "was "
        return f"{was}restored until {rfc3339(restored.until)} by {restored.order.who}"

    def chosen(self, namespace: str | None, labels: Labels) -> list[WorkloadKey]:
        """Return who was removed in a namespace (None: any) and had these labels, the newest removal first."""
        keys = [
            key
            for key, removal in self.removals.items()
            if namespace in (None, key.namespace) and labels.match(removal.spec.registration.workload.labels)
        ]
        return sorted(keys, key=lambda key: self.removals[key].removed_at, reverse=True)

    def rows(self, keys: Iterable[WorkloadKey], now: datetime, *, wide: bool) -> list[tuple[str, ...]]:
        """Return lines under ``HEAD``, and under ``WIDE`` where asked for."""
        rows = []
        for key in keys:
            removal = self.removals[key]
            narrow = (key.namespace, removal.name, age(now - removal.removed_at), self.state(key, now))
            rows.append((*narrow, *_more(key, removal)) if wide else narrow)
        return rows


def _more(key: WorkloadKey, removal: Removal) -> tuple[str, ...]:
    addresses = removal.spec.registration.host.addresses
    return (
        key.group,
        addresses[0].ip if addresses else "-",
        f"{removal.partition}:{removal.revision}",
        str(removal.window),
        removal.uid,
        f"{removal.reason}: {removal.message}",
    )
