"""Cores with one rule taken out each, to show that the simulation would have noticed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas.credentials import CredentialReason, Verified
from schemas.events import Connect, Resumed, Tick
from schemas.message import instant
from schemas.workloads import Presence, Reason
from services.agent.core import moves
from services.agent.core import session as agent_session
from services.identity.core.verdict import Accepted, Refusal
from services.processor.changelog import Changelog
from services.processor.core import control, doubt, joining, roll, session, verdict
from services.processor.core.attendance import Attendance
from services.processor.core.chains import Chains
from services.processor.core.rows import PartitionRow
from services.processor.ownership import Ownership
from services.processor.refresh import Refresh
from services.sink.core import admission, health, plan
from services.sink.core import entry as entries
from services.sink.core.actions import DeleteWar, UpdateWar
from services.sink.core.snapshot import current, snapshot
from services.sink.ports import Kind
from services.sink.state import State
from tests.sim.campaign import run
from tests.support.cluster import MemoryCluster

Patch = pytest.MonkeyPatch


def no_session_fence(patch: Patch) -> None:
    """Whatever names an earlier session counts for the present one."""

    def other(book: Any, record: Any, event: Any, effects: Any, row: Any) -> None:  # noqa: ANN401
        if isinstance(event, Connect):
            joining._join(book, record, event, event.workload, effects)
        else:
            session._here(book, record, event, effects, row)

    patch.setattr(joining, "another", other)


def no_void_window(patch: Patch) -> None:
    """A new owner judges a window whose attendance it has not seen."""
    whole = roll.Roll._apply

    def apply(self: Any, record: Any, event: Any, effects: Any) -> None:  # noqa: ANN401
        void = self.void
        whole(self, record, event, effects)
        if isinstance(event, Resumed):
            self.void = void

    patch.setattr(roll.Roll, "_apply", apply)


def no_brake(patch: Patch) -> None:
    """However many fall silent together, they are marked absent and removed."""
    patch.setattr(verdict, "_brake", lambda *_: False)


def brake_forgets_whom_it_lost(patch: Patch) -> None:
    """Only those who are due now or at the next tick brake: a cut that comes bit by bit does not."""
    patch.setattr(doubt, "_is_lost", lambda *_: False)


def newcomers_release_the_brake(patch: Patch) -> None:
    """It lets go when few of everybody are silent, whoever joined meanwhile."""
    whole = doubt.judged

    def judged(book: Any, found: Any) -> Any:  # noqa: ANN401
        book.state = replace(book.state, doubted=None)
        return whole(book, found)

    patch.setattr(doubt, "judged", judged)


def brake_on_removal_only(patch: Patch) -> None:
    """However many fall silent together, they are marked absent; the brake only keeps them from being removed."""

    def mark(book: Any, record: Any, effects: Any, due: Any, missed: Any) -> Any:  # noqa: ANN401
        verdict._brake(book, doubt.silence(book, due.keys(), missed), effects)
        verdict._mark(book, due, record, effects, verdict._Mark(Presence.ABSENT, Reason.MISSED_WINDOWS, "silent"))
        return missed

    patch.setattr(verdict, "_mark_silent", mark)


def absent_one_window_early(patch: Patch) -> None:
    """Who is silent is absent a window before the rules say so."""
    whole = Attendance.silent
    patch.setattr(Attendance, "silent", lambda self: [(key, count + 1, seq) for key, count, seq in whole(self)])


def time_by_clock(patch: Patch) -> None:
    """Who is silent has missed as many windows as fit into the time that passed."""
    whole = verdict._call

    def call(book: Any, record: Any, effects: Any, *, void: bool) -> Any:  # noqa: ANN401
        passed = (record.timestamp - (book.state.opened or record.timestamp)) // book.rules.window_ms
        for key, count, seq in book.attendance.silent():
            book.attendance.missed[key] = (count + max(0, passed - 1), seq)
        return whole(book, record, effects, void=void)

    patch.setattr(verdict, "_call", call)


def ticks_as_fast_as_they_come(patch: Patch) -> None:
    """No tick comes too soon, and none names the wrong window: two owners hurry time."""
    whole = verdict.close_window

    def close(book: Any, record: Any, tick: Tick, effects: Any) -> None:  # noqa: ANN401
        if book.state.opened is not None:
            book.state = PartitionRow(**{
                name: getattr(book.state, name) for name in book.state.__dataclass_fields__
            } | {"opened": min(book.state.opened, record.timestamp - book.rules.window_ms)})  # fmt: skip
        whole(book, record, tick.model_copy(update={"window": book.window}), effects)

    patch.setattr(verdict, "close_window", close)


def sequence_ignored(patch: Patch) -> None:
    """A duplicate or a latecomer counts as a sign of life."""
    patch.setattr(Attendance, "highest", lambda *_: -1)


def commit_ahead_of_apply(patch: Patch) -> None:
    """What was delivered is committed before it is folded."""
    whole = Ownership.fold

    async def fold(self: Any, chunk: Any) -> None:  # noqa: ANN401
        if chunk.partition in self.owned and not self.held:
            self.owned[chunk.partition].settled = chunk.records[-1].offset + 1
        await whole(self, chunk)

    patch.setattr(Ownership, "fold", fold)


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


def deaf_to_the_end(patch: Patch) -> None:
    """The agent does not begin a new session when its registration ended."""
    patch.setattr(moves, "ended", moves.nothing)
    for state in moves.LIVE:
        row = {**agent_session.TABLE[state], agent_session.Kind.ENDED: agent_session.Cell(state)}
        patch.setitem(agent_session.TABLE, state, row)


def never_told_again(patch: Patch) -> None:
    """What was stored and not told before a crash is not told by the successor either."""
    whole = roll.Roll.restore

    def restore(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        made = whole(*args, **kwargs)
        made._untold.clear()
        return made

    patch.setattr(roll.Roll, "restore", restore)


def never_refreshed(patch: Patch) -> None:
    """A zombie's late row stays the last word until compaction has made it the only one."""
    patch.setattr(Refresh, "due", lambda *_: [])


def late_rows_restored(patch: Patch) -> None:
    """Recovery takes the last row of a key for its newest."""
    whole = Changelog.apply
    patch.setattr(Changelog, "apply", lambda self, offset, key, value, _revision: whole(self, offset, key, value, 0))


def late_states_applied(patch: Patch) -> None:
    """The sink takes the last state of a workload for its newest."""
    whole = State.take_workload

    def take(self: Any, key: bytes, value: bytes | None) -> Any:  # noqa: ANN401
        self.wanted.pop(key, None)
        return whole(self, key, value)

    patch.setattr(State, "take_workload", take)
    patch.setattr(plan, "is_newer", lambda *_: False)


def tick_of_another_window(patch: Patch) -> None:
    """A tick closes the open window whichever it names: of two owners each closes windows."""
    whole = verdict.close_window

    def close(book: Any, record: Any, tick: Tick, effects: Any) -> None:  # noqa: ANN401
        whole(book, record, tick.model_copy(update={"window": book.window}), effects)

    patch.setattr(verdict, "close_window", close)


def links_unchecked(patch: Patch) -> None:
    """Whoever names a session speaks for it: no event need show the link of its chain."""
    patch.setattr(Chains, "next_link", lambda *_: True)
    patch.setattr(Chains, "shown", lambda *_: True)


def living_session_superseded(patch: Patch) -> None:
    """Whoever shows the credential takes a living session's place, without the last link of its chain."""
    patch.setattr(joining, "_may_supersede", lambda *_: True)


def credential_unchecked(patch: Patch) -> None:
    """Whoever shows any credential is believed to be who they claim to be."""

    def judge(_trust: Any, bundle: str, event: Any, timestamp: int) -> Accepted | Refusal:  # noqa: ANN401
        if event.workload is None or event.proof is None:
            return Refusal(CredentialReason.MISSING, "")
        return Accepted(event.workload.identity, Verified(method="jwt", key="", bundle=bundle, at=instant(timestamp)))

    patch.setattr(joining, "judge", judge)


def control_unsigned(patch: Patch) -> None:
    """Whoever may write heartbeats tells the time, voids windows, and gives orders."""
    patch.setattr(control, "admitted", lambda *_: True)


def control_said_again(patch: Patch) -> None:
    """What an owner or an operator signed counts each time that somebody writes it."""
    patch.setattr(control, "_first", lambda *_: True)


def policy_ignored(patch: Patch) -> None:
    """The sink admits everybody into a group that exists."""

    whole = admission.admit

    def admit(workload: Any, group: Any, policies: Any, **namespace: Any) -> Any:  # noqa: ANN401
        return admission.Admitted(group) if group is not None else whole(workload, group, policies, **namespace)

    patch.setattr(plan, "admit", admit)


def nobody_expelled(patch: Patch) -> None:
    """Who has joined may stay, also where policies are enforced continuously."""
    patch.setattr(plan, "expelled", lambda *_: None)


def place_not_won_back(patch: Patch) -> None:
    """An agent in whose place another one lives speaks on in a session that nobody hears."""
    for state in moves.LIVE:
        row = agent_session.TABLE[state]
        patch.setitem(agent_session.TABLE, state, {**row, agent_session.Kind.OUSTED: row[agent_session.Kind.BEAT]})


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


MUTATIONS: tuple[Callable[[Patch], None], ...] = (
    no_session_fence,
    no_void_window,
    no_brake,
    brake_on_removal_only,
    absent_one_window_early,
    time_by_clock,
    ticks_as_fast_as_they_come,
    sequence_ignored,
    commit_ahead_of_apply,
    recreated_after_deletion,
    snapshot_refreshed,
    deaf_to_the_end,
    never_told_again,
    never_refreshed,
    late_rows_restored,
    late_states_applied,
    tick_of_another_window,
    links_unchecked,
    living_session_superseded,
    credential_unchecked,
    control_unsigned,
    control_said_again,
    policy_ignored,
    nobody_expelled,
    place_not_won_back,
    blind_delete,
    blind_update,
    removed_before_its_grace,
    removed_again,
    entry_never_updated,
    registration_never_updated,
    health_flaps,
    dead_keep_traffic,
    unknown_lose_traffic,
    written_once_more,
    never_at_rest,
    notes_lost,
)

OF_MANY = (brake_forgets_whom_it_lost, newcomers_release_the_brake)
"""What 400 worlds of up to six machines do not show: ``tests/laws/test_cut.py`` catches them, with larger fleets."""

KINDS = {
    "no_void_window": "void window",
    "no_brake": "false absent",
    "brake_on_removal_only": "false absent",
    "absent_one_window_early": "false verdict",
    "time_by_clock": "false verdict",
    "links_unchecked": "forged",
    "living_session_superseded": "takeover",
    "snapshot_refreshed": "snapshot changed",
    "policy_ignored": "not admitted",
    "blind_delete": "false removal",
    "removed_before_its_grace": "false removal",
    "removed_again": "false removal",
    "blind_update": "note lost",
    "notes_lost": "note lost",
    "entry_never_updated": "reported",
    "registration_never_updated": "reported",
    "health_flaps": "endpoint",
    "dead_keep_traffic": "endpoint",
    "unknown_lose_traffic": "endpoint",
    "written_once_more": "writes",
    "never_at_rest": "steady state",
}
"""Which invariant must notice, where it is not only that one does."""
BUT = {"never_at_rest": ("writes",)}
"""Which other invariants would speak before that one."""

FIRST = {
    "time_by_clock": 20,
    "commit_ahead_of_apply": 25,
    "recreated_after_deletion": 20,
    "never_refreshed": 165,
    "late_rows_restored": 75,
    "tick_of_another_window": 30,
    "nobody_expelled": 60,
    "place_not_won_back": 25,
}
"""Where to begin to look, for those whose circumstances are rare: minutes of worlds before it show nothing."""
WITHIN = 400
"""Seeds in which each must be caught."""


def caught(mutation: Callable[[Patch], None]) -> int | None:
    """Return the first seed of a world that does not survive it, by the invariant that is to notice."""
    first = FIRST.get(mutation.__name__, 0)
    return next((seed for seed in range(first, first + WITHIN) if _notices(mutation, seed)), None)


def _notices(mutation: Callable[[Patch], None], seed: int) -> bool:
    with Patch.context() as patch:
        mutation(patch)
        broken = run(seed, but=BUT.get(mutation.__name__, ())).broken
    return bool(broken) and broken.startswith(KINDS.get(mutation.__name__, ""))
