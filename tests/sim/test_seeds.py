"""Whatever befalls the world, nothing is lost and nobody is falsely removed."""

import pytest

from tests.sim import world
from tests.sim.campaign import run, shrink
from tests.sim.faults import Fault
from tests.sim.processors import REFRESH_WINDOWS, RULES

BATCH = 25


@pytest.mark.parametrize("first", range(0, 300, BATCH))
def test_every_invariant_holds_in_every_world(first: int) -> None:
    for seed in range(first, first + BATCH):
        outcome = run(seed)
        if outcome.broken:
            least = shrink(outcome)
            told = "\n".join(map(str, least.faults))
            pytest.fail(f"{least.broken}\n{told}\nagain: muster sim --seed {seed}")


FOUND = {
    5943: [
        Fault(9900, "processor.relic", 1, 1500),
        Fault(12100, "processor.relic", 0, 200),
        Fault(14600, "processor.crash", 4, 3000),
    ],
    8861: [
        Fault(4150, "user.delete", 3, 700),
        Fault(5850, "agent.kill", 4, 3000),
        Fault(8200, "processor.relic", 5, 700),
        Fault(12650, "broker.mute", 3, 3000),
    ],
    8989: [Fault(4250, "processor.relic", 5, 700), Fault(8350, "processor.cut", 2, 3000)],
}
"""What ten thousand seeds found: with their faults, for a new kind of fault gives every seed others."""


@pytest.mark.parametrize("seed", FOUND)
def test_what_ten_thousand_seeds_found_is_mended(seed: int) -> None:
    """An owner cut off after a zombie's late row: telling all in half of what compaction waits was too seldom."""
    assert not run(seed, FOUND[seed]).broken


SHOWN = [seed for seed in FOUND if seed != 8861]
"""In that one the sink now plans again before it deletes, so that the zombie's row does no harm there."""


@pytest.mark.parametrize("seed", SHOWN)
def test_what_was_found_is_still_there_where_compaction_waits_but_two_rounds(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the test above would show nothing."""
    monkeypatch.setattr(world, "LAG_MS", 2 * REFRESH_WINDOWS * RULES.window_ms)
    assert run(seed, FOUND[seed]).broken


def test_the_same_seed_is_the_same_world() -> None:
    assert run(11) == run(11)


def test_a_world_without_faults_settles_and_marks_nobody() -> None:
    outcome = run(3, [])
    assert not outcome.broken
    assert set(outcome.verdicts) == {"connected"}


def test_a_machine_that_lost_power_for_good_is_absent_and_then_removed() -> None:
    outcome = run(3, [Fault(2000, "agent.kill", 0, 6000)])
    assert not outcome.broken
    assert (outcome.verdicts["absent"], outcome.verdicts["removed"]) == (1, 1)
