"""Laws of the brake: whatever the pace at which an observer loses its machines, it removes none of them (ADR 0013)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode_workload
from schemas.workloads import Presence, Workload
from services.processor.core.record import Emit, Record
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from tests.laws.logs import picture
from tests.laws.test_roll import Disk, crashes, states
from tests.sim.mutations import OF_MANY
from tests.support.logs import Log, key
from tests.support.oracle import OracleRules, oracle

LAW = settings(max_examples=200, deadline=None)
DEFAULT = Rules()
NEVER = 1000
"""A window after the last."""


def _rules(missed: int, grace: int) -> Rules:
    return Rules(window_ms=1000, missed_windows=missed, grace_windows=grace)


rules = st.builds(_rules, st.integers(2, 4), st.integers(2, 9))


@dataclass(frozen=True)
class Cut:
    """What befalls a partition in which all are connected; windows are counted from then on."""

    lost: tuple[int, ...]
    """From which window on each machine is not heard."""
    joining: int
    """How many others join once the brake holds: before, they make the share of the silent smaller."""
    back: tuple[int, ...] = ()
    """From which window on each is heard again, if they are."""
    void: frozenset[int] = frozenset()
    """Windows in which another owner takes over."""
    order: int = NEVER
    """In which window an operator releases the brake."""
    windows: int = 70

    def log(self) -> Log:
        """Return the log of it."""
        log, seen, join = Log(), len(self.lost), max(self.lost) + 4 + len(self.void)
        log.tick()
        for number in range(seen):
            log.connect(number)
        log.tick()
        for window in range(self.windows):
            if window == join:
                for number in range(seen, seen + self.joining):
                    log.connect(number)
            if window in self.void:
                log.resumed()
            if window == self.order:
                log.release()
            for number in self._heard(window, join):
                log.heartbeat(number, seq=1 + window)
            log.tick()
        return log

    def _heard(self, window: int, join: int) -> Iterator[int]:
        for number, lost in enumerate(self.lost):
            if window < lost or window >= (self.back[number] if self.back else NEVER):
                yield number
        if window > join:
            yield from range(len(self.lost), len(self.lost) + self.joining)


@st.composite
def cuts(draw: st.DrawFn, by: Rules, *, ends: bool) -> Cut:
    """Draw a cut: machines are lost one by one or many together, all of them within the grace."""
    many = draw(st.integers(DEFAULT.brake_least, 24))
    within = by.grace_windows + 1
    moments = draw(st.lists(st.integers(0, within), min_size=1, max_size=6))
    lost = draw(st.lists(st.sampled_from(moments) | st.integers(0, within), min_size=many, max_size=many))
    windows = 3 * by.grace_windows + 12
    cut = Cut(
        tuple(lost),
        draw(st.sampled_from((0, 0, 5, 60))),
        void=draw(st.frozensets(st.integers(0, windows), max_size=3)),
        windows=windows,
    )
    if not ends:
        return cut
    back = st.sampled_from((NEVER, within + 3, within + 4)) | st.integers(0, windows)
    return replace(
        cut,
        back=tuple(draw(st.lists(back, min_size=many, max_size=many))),
        order=draw(st.sampled_from((NEVER, NEVER, within, within + 2))),
    )


befallen = rules.flatmap(lambda by: st.tuples(st.just(by), cuts(by, ends=True)))
lost_for_good = rules.flatmap(lambda by: st.tuples(st.just(by), cuts(by, ends=False)))


def told(log: Log, by: Rules) -> list[Workload]:
    """Return what is told of the machines in the order of the log."""
    roll = Roll(0, by)
    effects = [effect for one in log.records for effect in roll.fold(Record(*one)) if isinstance(effect, Emit)]
    found = [decode_workload(effect.value or b"") for effect in effects]
    return [state for state in found if isinstance(state, Workload)]


def wrongs(by: Rules, cut: Cut) -> str:
    """Say what a cut for good makes of machines that live; nothing is right."""
    ours = {key(number) for number in range(len(cut.lost))}
    was = [(s.workload.key.to_bytes(), s.presence) for s in told(cut.log(), by) if s.workload.key.to_bytes() in ours]
    if removed := {one for one, presence in was if presence is Presence.REMOVED}:
        return f"{len(removed)} removed"
    absent = {one for one, presence in was if presence is Presence.ABSENT}
    few = len(absent) <= max(by.brake_share * len(ours), by.brake_least - 1)
    return "" if few else f"{len(absent)} of {len(ours)} called absent"


@given(lost_for_good)
@LAW
def test_whatever_the_pace_at_which_all_are_lost_nobody_is_removed_and_few_are_called_absent(
    case: tuple[Rules, Cut],
) -> None:
    """The machines live: it is the observer that is cut off. However many join later, it is cut off still."""
    assert not wrongs(*case)


@pytest.mark.parametrize(
    ("mutation", "cut"),
    list(zip(OF_MANY, (Cut(tuple(range(20)), joining=0), Cut((0,) * 20, joining=61)), strict=True)),
)
def test_a_core_without_one_rule_of_the_brake_breaks_that_law(
    monkeypatch: pytest.MonkeyPatch, mutation: Callable[[pytest.MonkeyPatch], None], cut: Cut
) -> None:
    by = Rules(window_ms=1000, grace_windows=20)
    assert not wrongs(by, cut)
    mutation(monkeypatch)
    assert wrongs(by, cut) == "20 removed"


@given(befallen)
@LAW
def test_the_oracle_says_the_same_of_any_cut(case: tuple[Rules, Cut]) -> None:
    by, cut = case
    log = cut.log()
    judged = oracle({0: log.records}, OracleRules(**{name: getattr(by, name) for name in OracleRules._fields}), 1)
    meant = [(t.key, t.offset, t.state.presence, t.state.reason) for t in judged.transitions if t.state is not None]
    said = [(s.workload.key.to_bytes(), s.revision, s.presence, s.reason) for s in told(log, by)]
    assert sorted(said) == sorted(meant)


@given(befallen, crashes)
@LAW
def test_a_fold_from_any_crash_in_a_cut_equals_the_fold_from_zero(
    case: tuple[Rules, Cut], dies: list[tuple[float, float, float]]
) -> None:
    """Whom the next owner counts as lost, doubted or given up is in the rows (rule 4)."""
    by, cut = case
    records = [Record(*one) for one in cut.log().records]
    straight = Roll(0, by)
    wanted = states([effect for record in records for effect in straight.fold(record)])
    disk = Disk(by)
    for folded, durable, committed in dies:
        disk.run(records, int(folded * len(records)), durable, committed)
    survivor = disk.run(records, len(records), 1.0, 1.0)
    assert picture(survivor) == picture(straight)
    assert states(disk.told) == wanted
