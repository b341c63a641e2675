"""A replay of a recorded log equals what was live, exactly; 1,000 of them: make replays."""

from itertools import count

import pytest

from services.processor.core.rules import Rules
from tests.sim.replayed import FORGETFUL, differences, lived, seen

BATCH = 25


@pytest.mark.parametrize("first", range(0, 200, BATCH))
def test_every_state_told_live_is_told_again_and_the_last_are_the_same(first: int) -> None:
    found = [seen(seed) for seed in range(first, first + BATCH)]
    assert [(one.seed, one.differences) for one in found if one.differences] == []
    assert sum(one.told for one in found) > BATCH


OTHER = Rules(window_ms=1000, missed_windows=2, grace_windows=4, brake_least=2)


def test_a_replay_by_other_rules_would_be_noticed() -> None:
    assert any(list(differences(lived(seed), OTHER)) for seed in range(30))


def test_what_a_replay_tells_and_nobody_told_would_be_noticed() -> None:
    """A transition too many, and a tombstone too many."""
    found = next(one for one in map(lived, count()) if not one.deadly and len(one.written) > FORGETFUL)
    assert list(differences(found)) == []
    assert any("never told live" in words for words in differences(found._replace(written=found.written[1:])))
    forgetful = next(one for one in map(lived, count(0, FORGETFUL)) if any(value is None for _, value in one.written))
    assert list(differences(forgetful)) == []
    kept = [(key, value) for key, value in forgetful.written if value is not None]
    assert list(differences(forgetful._replace(written=kept)))
