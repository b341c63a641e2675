"""The invariants read the world as those do whom they speak for: istiod of endpoints, the rules of windows."""

from typing import Any

import pytest

from schemas.events import Resumed, Tick
from tests.sim.endpoints import CHECKED, gets_traffic
from tests.sim.log import Rec
from tests.sim.processors import RULES
from tests.sim.windows import Windows

OWNER = "00000000-0000-4000-8000-000000000000"


def entry(annotations: dict[str, str] | None, healthy: str | None) -> dict[str, Any]:
    """Return a WorkloadEntry with these annotations, and with what its condition says."""
    conditions = [] if healthy is None else [{"type": "Healthy", "status": healthy}]
    return {"metadata": {"annotations": annotations}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("annotations", "healthy", "served"),
    [
        ({CHECKED: "true"}, "True", True),
        ({CHECKED: "true"}, "False", False),
        ({CHECKED: "true"}, "Unknown", False),
        ({CHECKED: "true"}, None, False),
        ({CHECKED: "false"}, "False", True),
        ({CHECKED: "yes"}, None, True),
        ({}, None, True),
        (None, "False", True),
    ],
)
def test_an_endpoint_gets_traffic_as_istiod_has_it(
    annotations: dict[str, str] | None, healthy: str | None, *, served: bool
) -> None:
    assert gets_traffic(entry(annotations, healthy)) is served


def tick(window: int) -> Tick:
    """Return a tick that names a window."""
    return Tick(window=window, owner=OWNER)


def test_windows_count_where_their_ticks_were_taken_and_nobody_took_over() -> None:
    """The first has no known beginning; a tick too soon and one of another window close nothing; a takeover voids."""
    windows = Windows()
    written: list[Tick | Resumed] = [tick(0), tick(1), tick(1), tick(7), Resumed(owner=OWNER), tick(2)]
    times = [0, RULES.window_ms // 2 - 1, RULES.window_ms, 1500, 1600, 2000]
    for offset, (event, time) in enumerate(zip(written, times, strict=True)):
        windows.take(Rec(offset, time, None, None), event)
    assert windows.window == 3
    assert windows.void == {0, 5}
    assert windows.missed(-1, 5) == 1
    windows.take(Rec(6, 3000, None, None), tick(3))
    assert (windows.missed(-1, 6), windows.missed(1, 6), windows.missed(3, 6), windows.missed(5, 6)) == (2, 1, 1, 0)
