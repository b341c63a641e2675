"""What ``muster bench load`` reads in Kubernetes, and how it tells of it; what it measures is no matter of a test."""

import asyncio
import json
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from services.cli.bench import app
from services.cli.bench.load import introduction
from services.cli.bench.mesh import report
from services.cli.bench.mesh.results import Cell, Detection, Outcome, Recovery, Spread, Steady, Turn, spread
from services.cli.bench.mesh.roll import GONE, Roll, Said, condition
from services.cli.bench.mesh.ticks import TickCost, Windows, measure
from services.cli.bench.mesh.trial import Plan
from services.cli.bench.mesh.verdicts import Verdict, Verdicts
from services.sink.ports import Kind
from tests.support.cluster import MemoryCluster
from tests.support.eventually import eventually
from tests.support.registry import workload

NAMES = ("one", "two")
SINCE = "2026-11-23T00:00:00.000Z"


def test_percentiles_are_durations_that_were_measured() -> None:
    assert spread([float(number) for number in range(1, 201)]) == Spread(200, 100.0, 198.0, 200.0)
    assert spread([7.0]) == Spread(1, 7.0, 7.0, 7.0)
    with pytest.raises(ValueError, match="nothing"):
        spread([])


def test_windows_hold_two_heartbeats() -> None:
    assert Cell(10_000, 5).window_ms == 10_000


async def test_the_roll_knows_what_is_said_of_whom_since_when_and_forgets_nothing_that_was_said() -> None:
    cluster = MemoryCluster("load")
    roll = Roll(cluster, Kind.ENTRY, "Healthy", condition("Healthy"))
    following = asyncio.create_task(roll.follow())
    about = {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry"}
    try:
        for name in NAMES:
            made = await cluster.create(Kind.ENTRY, {**about, "metadata": {"namespace": "load", "name": name}})
            said = {"type": "Healthy", "status": "True", "lastTransitionTime": SINCE}
            await cluster.update(Kind.ENTRY, {**made, "status": {"conditions": [said]}}, status=True)
        await roll.all(NAMES, "True", 5, lambda: None)
        assert roll.said["one"].since == datetime(2026, 11, 23, tzinfo=UTC).timestamp()
        with pytest.raises(TimeoutError, match="only 0 of 2 workloadentries say Healthy=False"):
            await roll.all(NAMES, "False", 0, lambda: None)
        cluster.remove(Kind.ENTRY, "load", "one")

        async def gone() -> bool:
            return roll.count(NAMES, GONE) == 1

        await eventually(gone, "the deletion to be seen")
        assert [(name, said.status) for name, said in roll.changes] == [("one", "True"), ("two", "True"), ("one", GONE)]
    finally:
        following.cancel()


TICKS = [TickCost(1000, 0.21, 4.5, 0.3, 0.25), TickCost(10_000, 1.4, 45.0, 2.1, 1.9)]
OUTCOME = Outcome(
    Cell(1000, 2),
    300.0,
    Turn(1000, 5.2, 20.0, spread([0.1, 0.2]), spread([1.0, 2.0]), 3000),
    Steady(
        20.0,
        499.6,
        0,
        12,
        {"processor": 0.1, "bare consumer": 0.05} | dict.fromkeys(("sink", "broker"), 0.01) | {"API server": 0.02},
        {"processor": 2**27, "sink": 2**27},
        {"processor": 2**24, "sink": 2**25},
        {"processor": 2**19, "sink": 0},
    ),
    Detection(spread([11.5]), spread([12.0]), spread([12.5]), 16.0),
    Recovery(8.0, 9.0),
    Turn(100, 1.0, 2.0, spread([0.1]), spread([0.5]), 400),
    Turn(900, 1.0, 9.0, spread([0.1]), spread([0.5]), 1800),
    Turn(1000, 1.0, 10.0, spread([0.1]), spread([0.5]), 2000),
    wronged=0,
)


def test_the_page_has_a_column_to_a_cell_and_says_how_it_was_made() -> None:
    page = report.page([OUTCOME, OUTCOME], TICKS, Plan(20, 5, 100, 1000), date(2026, 11, 23), "load.json")
    assert "`muster bench load 1000x2 1000x2 --steady 20 --join 5 --deletions 100 --write deploy/load.md`" in page
    assert "|  | 1,000 every 2 s | 1,000 every 2 s |\n| --- | --- | --- |" in page
    assert "| 1,000 | 0.2 | 4.5 | 0.3 | 0.2 |\n| 10,000 | 1.4 | 45.0 | 2.1 | 1.9 |" in page
    assert "| **joining**: in the log / all registered after | 5 / 20 s | 5 / 20 s |" in page
    assert "| grown meanwhile, processor / sink | 0.5 / 0.0 MiB | 0.5 / 0.0 MiB |" in page
    assert "in `load.json`" in page
    assert "| heartbeats/s held, of those due | 500 of 500 | 500 of 500 |" in page
    assert "| sink's writes/s, beside a bare client's | 150 of 300 (0.50) | 150 of 300 (0.50) |" in page


def test_the_document_is_json_with_everything_in_it() -> None:
    told = json.loads(json.dumps(report.document([OUTCOME], TICKS, Plan(20, 5, 100, 1000))))
    assert told["cells"][0]["detection"]["connected"]["p50"] == 12.0
    assert told["plan"]["budget"] == 1000


@pytest.mark.parametrize("cell", ["many", "10x1", "100x", "100x0", "100x1000"])
def test_what_is_no_cell_is_refused_with_an_example(cell: str) -> None:
    done = CliRunner().invoke(app, ["load", cell])
    assert done.exit_code == 2
    assert "2000x5" in done.output


def test_the_ticks_of_a_partition_are_timed_at_each_size() -> None:
    costs = measure([10, 40])
    assert [cost.workloads for cost in costs] == [10, 40]
    assert all(min(cost) > 0 for cost in costs)


def test_a_tenth_that_dies_is_called_absent_by_the_tick_after_so_many_windows_and_silence_of_all_is_braked() -> None:
    windows = Windows(40)
    rest, missed = windows.speakers[4:], windows.roll.rules.missed_windows
    windows.close(windows.speakers)
    for _ in range(missed - 1):
        windows.close(rest)
    assert not windows.roll.absent
    windows.close(rest)
    assert len(windows.roll.absent) == 4
    for _ in range(missed + 1):
        windows.close(())
    assert windows.roll.state.braked
    assert len(windows.roll.absent) == 4


def test_when_a_verdict_was_written_is_known_by_the_time_that_the_registration_names() -> None:
    verdicts, since = Verdicts(), datetime(2026, 11, 23, 1, 2, 3, 456_000, tzinfo=UTC)
    state = workload(introduction(1)).model_copy(update={"since": since})
    verdicts.take(state.to_json(), 7.5)
    verdicts.take(state.to_json(), 9.0)
    said = Said("uid", "True", since.timestamp(), 8.0)
    which = Verdict.behind(state.workload.key.war_name, said)
    assert asyncio.run(verdicts.written([which])) == {state.workload.key.war_name: 7.5}
