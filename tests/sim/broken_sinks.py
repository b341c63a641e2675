"""Sinks with one rule taken out each; what is done with them stands in ``mutations``."""

from typing import Any

import pytest

from schemas.workloads import Presence
from services.sink.core import admission, health, plan
from services.sink.core import entry as entries
from services.sink.core.actions import DeleteWar, UpdateWar
from services.sink.core.snapshot import current, snapshot
from services.sink.ports import Kind
from services.sink.state import State
from tests.support.cluster import MemoryCluster

Patch = pytest.MonkeyPatch


def recreated_after_deletion(patch: Patch) -> None:
    """The sink makes a WAR anew for a session that had one."""
    whole = plan._join
    patch.setattr(plan, "_join", lambda workload, _answer, observed: whole(workload, None, observed))


def snapshot_refreshed(patch: Patch) -> None:
    """An edit of the group reaches those who joined before."""
    whole = plan._keep

    def keep(workload: Any, answer: Any, observed: Any, war: Any, now: Any) -> Any:  # noqa: ANN401
        if observed.group is not None and not current(war.spec.workload_group, observed.group):
            taken = snapshot(observed.group).model_dump(mode="json", exclude_none=True)
            return (UpdateWar({**war.manifest, "spec": {**war.manifest["spec"], "workloadGroup": taken}}),)
        return whole(workload, answer, observed, war, now)

    patch.setattr(plan, "_keep", keep)


def late_states_applied(patch: Patch) -> None:
    """The sink takes the last state of a workload for its newest."""
    whole = State.take_workload

    def take(self: Any, key: bytes, value: bytes | None) -> Any:  # noqa: ANN401
        self.wanted.pop(key, None)
        return whole(self, key, value)

    patch.setattr(State, "take_workload", take)
    patch.setattr(plan, "is_newer", lambda *_: False)


def policy_ignored(patch: Patch) -> None:
    """The sink admits everybody into a group that exists."""

    whole = admission.admit

    def admit(workload: Any, group: Any, policies: Any, **namespace: Any) -> Any:  # noqa: ANN401
        return admission.Admitted(group) if group is not None else whole(workload, group, policies, **namespace)

    patch.setattr(plan, "admit", admit)


def nobody_expelled(patch: Patch) -> None:
    """Who has joined may stay, also where policies are enforced continuously."""
    patch.setattr(plan, "expelled", lambda *_: None)


def blind_delete(patch: Patch) -> None:
    """A removal deletes whatever has the name: it names neither uid nor version."""

    async def delete(self: MemoryCluster, kind: Kind, which: Any) -> None:  # noqa: ANN401
        if (kind, which.namespace, which.name) in self.objects:
            self.remove(kind, which.namespace, which.name)

    patch.setattr(MemoryCluster, "delete", delete)


def blind_update(patch: Patch) -> None:
    """An update overwrites what was written since: it names no version."""
    whole = MemoryCluster._known
    patch.setattr(
        MemoryCluster,
        "_known",
        lambda self, kind, which: self.objects.get((kind, *which[:2])) or whole(self, kind, which),
    )


def removed_before_its_grace(patch: Patch) -> None:
    """The registration of an absent workload is deleted at once."""
    whole = plan._keep

    def keep(workload: Any, answer: Any, observed: Any, war: Any, now: Any) -> Any:  # noqa: ANN401
        if workload.presence is Presence.ABSENT:
            return (DeleteWar(war.namespace, war.name, war.uid, war.resource_version),)
        return whole(workload, answer, observed, war, now)

    patch.setattr(plan, "_keep", keep)


def removed_again(patch: Patch) -> None:
    """Who was removed once and came back is removed once more, though connected."""
    keeps, removes = plan._keep, plan._remove
    once: set[bytes] = set()
    doomed: set[str] = set()

    def remove(workload: Any, *rest: Any) -> Any:  # noqa: ANN401
        once.add(workload.workload.key.to_bytes())
        return removes(workload, *rest)

    def keep(workload: Any, answer: Any, observed: Any, war: Any, now: Any) -> Any:  # noqa: ANN401
        key = workload.workload.key.to_bytes()
        if workload.presence is Presence.CONNECTED and key in once and observed.entry is not None:
            once.discard(key)
            doomed.add(war.uid)
        if war.uid in doomed:
            return (DeleteWar(war.namespace, war.name, war.uid, war.resource_version),)
        return keeps(workload, answer, observed, war, now)

    patch.setattr(plan, "_remove", remove)
    patch.setattr(plan, "_keep", keep)


def entry_never_updated(patch: Patch) -> None:
    """An entry keeps the address and labels that it was created with."""
    patch.setattr(entries, "merged", lambda *_: None)


def registration_never_updated(patch: Patch) -> None:
    """A registration keeps what was reported first."""
    whole = plan._keep

    def keep(workload: Any, answer: Any, observed: Any, war: Any, now: Any) -> Any:  # noqa: ANN401
        told = workload.workload.model_copy(update={"registration": war.spec.registration})
        return whole(workload.model_copy(update={"workload": told}), answer, observed, war, now)

    patch.setattr(plan, "_keep", keep)


def health_flaps(patch: Patch) -> None:
    """With every state of a living workload its endpoint is taken away, and given back."""
    whole = health.of_workload
    seen: set[tuple[str, int]] = set()

    def of_workload(entry: Any, workload: Any, **how: Any) -> Any:  # noqa: ANN401
        now = (entry.name, workload.revision)
        if workload.presence is Presence.CONNECTED and health.gets_traffic(entry.manifest) and now not in seen:
            seen.add(now)
            return health._with(
                entry, health._Wanted(healthy=False, reason=health._ABSENT, message="", since=workload.since)
            )
        return whole(entry, workload, **how)

    patch.setattr(health, "of_workload", of_workload)


def dead_keep_traffic(patch: Patch) -> None:
    """The endpoint of an absent workload gets traffic until it is removed."""
    whole = health.of_workload
    patch.setattr(
        health,
        "of_workload",
        lambda entry, workload, **how: None if workload.presence is Presence.ABSENT else whole(entry, workload, **how),
    )


def unknown_lose_traffic(patch: Patch) -> None:
    """The endpoint of one whom the brake keeps gets no traffic."""
    whole = health.of_workload

    def of_workload(entry: Any, workload: Any, **how: Any) -> Any:  # noqa: ANN401
        if workload.presence is Presence.UNKNOWN:
            workload, how = workload.model_copy(update={"presence": Presence.ABSENT}), {}
        return whole(entry, workload, **how)

    patch.setattr(health, "of_workload", of_workload)


def written_once_more(patch: Patch) -> None:
    """The sink writes every registration once more after each change."""
    whole = plan._keep
    last: dict[str, int] = {}

    def keep(workload: Any, answer: Any, observed: Any, war: Any, now: Any) -> Any:  # noqa: ANN401
        steps = whole(workload, answer, observed, war, now)
        if steps or last.get(war.uid) == workload.revision:
            return steps
        last[war.uid] = workload.revision
        about = war.manifest["metadata"]
        seen = {**(about.get("annotations") or {}), "seen": str(workload.revision)}
        return (UpdateWar({**war.manifest, "metadata": {**about, "annotations": seen}}),)

    patch.setattr(plan, "_keep", keep)


def never_at_rest(patch: Patch) -> None:
    """The sink writes a registration anew whenever it hears of what it wrote."""
    whole = plan._keep

    def keep(workload: Any, answer: Any, observed: Any, war: Any, now: Any) -> Any:  # noqa: ANN401
        steps = whole(workload, answer, observed, war, now)
        about = war.manifest["metadata"]
        seen = {**(about.get("annotations") or {}), "seen": str(now)}
        if steps or (about.get("annotations") or {}).get("seen") == str(now):
            return steps
        return (UpdateWar({**war.manifest, "metadata": {**about, "annotations": seen}}),)

    patch.setattr(plan, "_keep", keep)


def notes_lost(patch: Patch) -> None:
    """The sink writes an entry as it wants it, whatever others noted on it."""
    patch.setattr(
        entries,
        "merged",
        lambda entry, wanted: (
            None
            if entry.manifest["spec"] == wanted["spec"]
            else {
                **entry.manifest,
                "spec": wanted["spec"],
                "metadata": {**entry.manifest["metadata"], **wanted["metadata"]},
            }
        ),
    )
