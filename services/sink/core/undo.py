"""Undo: what is kept of a registration that is removed, and the entry that an operator has brought back from it.

A restored entry is no registration: no agent answers for it, so there is no WAR, and it says of itself until when it
stands, by whom and why. It stands only for the removal that the order names: whatever the log says after that removal
ends it, and so does its time (ADR 0009).
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.message import rfc3339
from schemas.removals import Removal, Restore
from schemas.resource import WarSpec
from schemas.workloads import Presence, Workload
from services.sink.core import entry as entries
from services.sink.core import health
from services.sink.core.actions import Action, CreateEntry, DeleteEntry, UpdateEntry
from services.sink.core.objects import ISTIO_API, Entry, Group, owner_reference


class Restored(NamedTuple):
    """An order to restore, and the broker's time of its record."""

    order: Restore
    since: datetime

    @property
    def until(self) -> datetime:
        """When its time is over."""
        return self.since + timedelta(seconds=self.order.for_seconds)


def removal(workload: Workload, uid: str, spec: WarSpec) -> Removal:
    """Return what to keep of the WAR with this uid and spec, which is about to be removed."""
    return Removal(
        namespace=workload.workload.namespace,
        name=workload.workload.key.war_name,
        uid=uid,
        spec=spec,
        session=workload.session,
        reason=workload.reason,
        message=workload.message,
        removed_at=workload.since,
        partition=workload.partition,
        revision=workload.revision,
        window=workload.window,
    )


def in_force(restored: Restored | None, workload: Workload | None, now: datetime) -> bool:
    """Whether an order holds: its time is not over, and nothing was said since the removal it undoes.

    ``workload`` is None where the processor has forgotten it, which it does long after a removal.
    """
    if restored is None or now >= restored.until:
        return False
    if workload is None:
        return True
    undone = restored.order.removal
    return workload.presence is Presence.REMOVED and (workload.partition, workload.revision) == (
        undone.partition,
        undone.revision,
    )


def entry(restored: Restored | None, group: Group | None, entry: Entry | None) -> tuple[Action, ...]:
    """Plan the entry of a workload without a registration; ``restored`` is the order in force, if one is."""
    if entry is not None and (entry.deleting or not entry.ours):
        return ()
    wanted = manifest(restored, group) if restored is not None and group is not None else None
    if wanted is None or restored is None:
        # An entry of a WAR that is gone is Kubernetes' to collect; only what an order brought is the sink's to delete.
        return (_delete(entry),) if entry is not None and is_restored(entry) else ()
    if entry is None:
        return (CreateEntry(wanted),)
    marked = health.of_restored(entry, restored.order.who, restored.since)
    if marked is not None:
        return (marked,)
    merged = entries.merged(entry, wanted)
    return () if merged is None else (UpdateEntry(merged),)


def manifest(restored: Restored, group: Group) -> dict[str, object] | None:
    """Return the entry as the removed registration had it, collected with its group; None: it had no address."""
    undone, order = restored.order.removal, restored.order
    owner = owner_reference(ISTIO_API, "WorkloadGroup", group.name, group.uid)
    made = entries.made(undone.namespace, undone.name, undone.spec, owner)
    if made is not None:
        told = {"until": rfc3339(restored.until), "by": order.who, "why": order.why}
        made["metadata"]["annotations"] |= {f"{entries.RESTORED}{name}": words for name, words in told.items()}
    return made


def is_restored(entry: Entry) -> bool:
    """Whether an order brought an entry, and no registration has adopted it since."""
    return any(name.startswith(entries.RESTORED) for name in entry.manifest["metadata"].get("annotations") or {})


def _delete(entry: Entry) -> DeleteEntry:
    return DeleteEntry(entry.namespace, entry.name, entry.manifest["metadata"]["uid"], entry.resource_version)
