"""A replay's memory is bounded by its workloads: however many heartbeats there were, they leave nothing behind."""

import tracemalloc
from pathlib import Path

import pytest

from services.cli.bench.memory import measure, sustain, traced


@pytest.mark.parametrize(("proven", "most"), [(False, 1024), (True, 1024)])
def test_what_is_kept_grows_with_workloads_and_not_with_heartbeats(tmp_path: Path, proven: bool, most: int) -> None:  # noqa: FBT001
    kept = measure(tmp_path / "mint", 2000, proven=proven)
    assert kept.per_workload < most
    assert abs(kept.per_heartbeat) < 1


def test_half_a_million_heartbeats_leave_not_a_hundredth_of_a_byte_each() -> None:
    """The little that is counted once, whoever speaks, is spread over all of them."""
    tracemalloc.start()
    try:
        assert abs(sustain(100, 500_000, traced).per_heartbeat) < 0.01
    finally:
        tracemalloc.stop()
