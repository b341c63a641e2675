"""Whom a fault wronged: what the judges of ``make chaos`` call false, and what they don't."""

from pathlib import Path

import pytest

from tests.chaos import kept
from tests.chaos import truth as clock
from tests.chaos.account import wrongly_absent, wrongly_removed
from tests.chaos.trial import Figures
from tests.chaos.truth import DEAD, Truth

KEY = b"bookinfo/ratings/one"


class Time:
    """The broker's clock, set by the test."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clock, "now_ms", made)
    return made


def test_to_call_one_absent_who_was_there_all_the_time_is_false(time: Time) -> None:
    truth = Truth()
    truth.begin([KEY])
    time.now = 60_000
    assert wrongly_absent(truth, KEY, 50_000)
    assert wrongly_removed(truth, KEY, 50_000)


def test_to_call_one_absent_who_died_before_the_windows_it_missed_is_true(time: Time) -> None:
    truth = Truth()
    truth.begin([KEY])
    time.now = 10_000
    truth.fail([KEY], DEAD)
    assert not wrongly_absent(truth, KEY, 13_000)
    assert wrongly_removed(truth, KEY, 17_000), "its grace began while it was there"
    assert not wrongly_removed(truth, KEY, 18_000)


def test_who_is_dead_and_cut_off_is_there_when_both_are_over(time: Time) -> None:
    truth = Truth()
    truth.begin([KEY])
    truth.fail([KEY], "network")
    truth.fail([KEY], DEAD)
    truth.mend([KEY], "network")
    assert truth.able_now() == set()
    time.now = 5_000
    truth.begin([KEY])
    assert truth.able_now() == {KEY}
    assert not truth.heard(KEY, 0, 5_900, 1_000)
    assert truth.heard(KEY, 0, 6_000, 1_000)


def test_a_fault_that_is_made_again_replaces_its_figures_and_no_others(tmp_path: Path) -> None:
    page = tmp_path / "chaos.md"
    one, two = Figures("one", verdicts={"absent": 8}, outage_s=1.5), Figures("two", broken=("late",))
    assert kept.merge(page, {"one": one, "two": two}) == {"one": one, "two": two}
    again = Figures("two", restarts=1)
    assert kept.merge(page, {"two": again}) == {"one": one, "two": again}
