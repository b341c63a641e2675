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
from tests.sim import broken_sinks
from tests.sim.campaign import run

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


def place_not_won_back(patch: Patch) -> None:
    """An agent in whose place another one lives speaks on in a session that nobody hears."""
    for state in moves.LIVE:
        row = agent_session.TABLE[state]
        patch.setitem(agent_session.TABLE, state, {**row, agent_session.Kind.OUSTED: row[agent_session.Kind.BEAT]})


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
    broken_sinks.recreated_after_deletion,
    broken_sinks.snapshot_refreshed,
    deaf_to_the_end,
    never_told_again,
    never_refreshed,
    late_rows_restored,
    broken_sinks.late_states_applied,
    tick_of_another_window,
    links_unchecked,
    living_session_superseded,
    credential_unchecked,
    control_unsigned,
    control_said_again,
    broken_sinks.policy_ignored,
    broken_sinks.nobody_expelled,
    place_not_won_back,
    broken_sinks.blind_delete,
    broken_sinks.blind_update,
    broken_sinks.removed_before_its_grace,
    broken_sinks.removed_again,
    broken_sinks.entry_never_updated,
    broken_sinks.registration_never_updated,
    broken_sinks.health_flaps,
    broken_sinks.dead_keep_traffic,
    broken_sinks.unknown_lose_traffic,
    broken_sinks.written_once_more,
    broken_sinks.never_at_rest,
    broken_sinks.notes_lost,
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
