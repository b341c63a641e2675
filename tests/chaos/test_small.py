"""How a fault of a small fleet is judged: by what Kubernetes takes from those who live, and not by the log."""

from typing import cast

import pytest

from tests.chaos import truth as clock
from tests.chaos.arena import Arena
from tests.chaos.registered import Registered
from tests.chaos.trial import Stage
from tests.chaos.truth import Truth

ONE, TWO = b"bookinfo/ratings/one", b"bookinfo/ratings/two"
WELL, DARK = Registered("u1", "True", "True"), Registered("u1", "False", "False")


class Field:
    """As much of an arena as a look at Kubernetes needs."""

    def __init__(self) -> None:
        self.truth = Truth()
        self.truth.begin([ONE, TWO])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return a fault that has cut off both, longer ago than any grace."""
    monkeypatch.setattr(clock, "now_ms", lambda: 0.0)
    field = Field()
    field.truth.fail([ONE, TWO], "network")
    made = Stage(cast("Arena", field))
    made.cut_off |= {ONE, TWO}
    made.look({ONE: WELL, TWO: WELL}, 0)
    made.strike({ONE, TWO})
    return made


def test_a_registration_of_one_cut_off_that_is_gone_or_another_is_a_false_removal(stage: Stage) -> None:
    stage.look({ONE: Registered("u2", "True", "True")}, 1)
    assert stage.vanished.keys() == {ONE, TWO}


def test_an_endpoint_that_had_no_traffic_for_a_while_is_counted_and_not_held_against_anybody(stage: Stage) -> None:
    stage.look({ONE: DARK, TWO: DARK}, 1)
    stage.look({ONE: WELL, TWO: DARK}, 2)
    stage.look({ONE: WELL, TWO: WELL}, 3)
    assert (stage.most_without_traffic, stage.without_traffic, stage.vanished) == (2, set(), {})


def test_an_endpoint_that_has_none_when_the_fault_is_over_is_held_against_it_whatever_follows(stage: Stage) -> None:
    stage.look({ONE: WELL, TWO: DARK}, 1)
    stage.heal()
    stage.look({ONE: WELL, TWO: WELL}, 2)
    assert stage.without_traffic == {TWO}
