"""A replay of a recorded log equals what was live, exactly; 1,000 of them: make replays."""

import pytest

from services.processor.core.rules import Rules
from tests.sim import replayed
from tests.sim.replayed import differences, lived, seen

BATCH = 25


@pytest.mark.parametrize("first", range(0, 200, BATCH))
def test_every_state_told_live_is_told_again_and_the_last_are_the_same(first: int) -> None:
    found = [seen(seed) for seed in range(first, first + BATCH)]
    assert [(one.seed, one.differences) for one in found if one.differences] == []
    assert sum(one.told for one in found) > BATCH


def test_a_replay_by_other_rules_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replayed, "RULES", Rules(window_ms=1000, missed_windows=2, grace_windows=4, brake_least=2))
    assert any(list(differences(lived(seed))) for seed in range(30))
