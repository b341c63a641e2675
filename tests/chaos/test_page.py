"""The page of the faults: each row has as many cells as there are columns, and says what was sent."""

from datetime import date

from tests.chaos import page
from tests.chaos.trial import Figures

FOUND = (
    Figures("sink-kill", 8231, {"absent": 8}, outage_s=1.5, without_traffic=3),
    Figures("disk-full-enospc", skipped="needs root"),
)


def test_every_row_of_the_page_has_a_cell_for_each_column() -> None:
    told = page.page(FOUND, 120, {one.fault: "What was done." for one in FOUND}, date(2026, 11, 30))
    rows = [line for line in told.splitlines() if line.startswith("|")]
    assert {row.strip().count("|") for row in rows} == {len(page.HEAD) + 1}
    assert rows[0].split(" | ")[3:5] == ["events sent", "verdicts"]
    assert rows[2].split(" | ")[3:5] == ["8,231", "8 absent"]
