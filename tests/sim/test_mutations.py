"""The simulation can fail: a core with one rule taken out does not survive it."""

from collections.abc import Callable

import pytest

from tests.sim.broken_sinks import snapshot_refreshed
from tests.sim.campaign import run, shrink
from tests.sim.figures import FALSE
from tests.sim.mutations import BUT, KINDS, MUTATIONS, WITHIN, Patch, caught


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_core_without_one_rule_is_caught_by_the_invariant_that_is_about_it(mutation: Callable[[Patch], None]) -> None:
    assert caught(mutation) is not None


def test_every_figure_that_is_nought_was_seen_not_to_be() -> None:
    """Who counts false verdicts and finds none must be able to find one, of each kind."""
    names = {mutation.__name__ for mutation in MUTATIONS}
    assert {*KINDS, *BUT} <= names
    assert {*FALSE, "endpoint", "steady state", "writes"} <= set(KINDS.values())


def test_a_failure_is_told_with_the_faults_it_needs_and_no_others(monkeypatch: Patch) -> None:
    snapshot_refreshed(monkeypatch)
    failed = next(outcome for seed in range(WITHIN) if (outcome := run(seed)).broken.startswith("snapshot"))
    assert [fault.kind for fault in shrink(failed).faults] == ["user.edit"]
