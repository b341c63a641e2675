"""The simulation can fail: a core with one rule taken out does not survive it."""

from collections.abc import Callable

import pytest

from tests.sim.campaign import run, shrink
from tests.sim.mutations import MUTATIONS, WITHIN, Patch, caught, snapshot_refreshed


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_core_without_one_rule_is_caught(mutation: Callable[[Patch], None]) -> None:
    assert caught(mutation) is not None


def test_a_failure_is_told_with_the_faults_it_needs_and_no_others(monkeypatch: Patch) -> None:
    snapshot_refreshed(monkeypatch)
    failed = next(outcome for seed in range(WITHIN) if (outcome := run(seed)).broken.startswith("snapshot"))
    assert [fault.kind for fault in shrink(failed).faults] == ["user.edit"]
