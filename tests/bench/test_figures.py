"""The arithmetic of benchmarks; what they measure is no matter of a test."""

import pytest

from services.cli.bench.figures import Rate, Sample, compare, medians, steady


def test_a_rate_leaves_starting_up_outside() -> None:
    samples = [Sample(0.0, 1.0, 0), Sample(5.0, 3.0, 1000), Sample(6.0, 3.5, 51_000)]
    assert steady(samples) == Rate(50_000.0, 10.0)
    assert steady(samples).per_core == 100_000.0


@pytest.mark.parametrize("samples", [[], [Sample(0.0, 0.0, 5)], [Sample(0.0, 0.0, 5), Sample(1.0, 1.0, 5)]])
def test_too_few_samples_are_no_rate(samples: list[Sample]) -> None:
    with pytest.raises(ValueError, match="more heartbeats"):
        steady(samples)


def test_a_slow_round_does_not_move_the_median() -> None:
    rounds = {"a": [Rate(100.0, 10.0), Rate(10.0, 100.0), Rate(101.0, 11.0)]}
    assert medians(rounds) == {"a": Rate(100.0, 11.0)}


def test_a_target_is_met_only_by_wall_time_and_by_cpu_time() -> None:
    figures = {"us": Rate(100.0, 10.0), "bound": Rate(200.0, 2.0)}
    (verdict,) = compare(figures, "us", {"bound": 0.4})
    assert (verdict.wall, verdict.cpu, verdict.met) == (0.5, 0.2, False)
