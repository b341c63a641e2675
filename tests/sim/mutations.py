"""Cores with one rule taken out each, to show that the simulation would have noticed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas.credentials import CredentialReason, Verified
from schemas.events import Connect, Resumed, Tick
from schemas.message import instant
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
from services.sink.core import admission, plan
from services.sink.core.actions import UpdateWar
from services.sink.core.snapshot import current, snapshot
from services.sink.state import State
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


def brake_on_removal_only(patch: Patch) -> None:
    """However many fall silent together, they are marked absent."""
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


MUTATIONS: tuple[Callable[[Patch], None], ...] = (
    no_session_fence,
    no_void_window,
    brake_on_removal_only,
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
)

OF_MANY = (brake_forgets_whom_it_lost, newcomers_release_the_brake)
"""What 400 worlds of up to six machines do not show: ``tests/laws/test_cut.py`` catches them, with larger fleets."""

FIRST = {"commit_ahead_of_apply": 25, "nobody_expelled": 80, "place_not_won_back": 45}
"""Where to begin to look, for those whose circumstances are rare: minutes of worlds before it show nothing."""
WITHIN = 400
"""Seeds in which each must be caught."""


def caught(mutation: Callable[[Patch], None]) -> int | None:
    """Return the first seed of a world that does not survive it."""
    first = FIRST.get(mutation.__name__, 0)
    with Patch.context() as patch:
        mutation(patch)
        return next((seed for seed in range(first, first + WITHIN) if run(seed).broken), None)
