"""What the simulation found and the cores do not mend yet; each becomes a regression test with its remedy."""

import pytest

from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from tests.support.logs import Log, key

RULES = Rules(window_ms=1000, missed_windows=3, grace_windows=4)


@pytest.mark.xfail(strict=True, reason="a session once superseded is never heard again (ADR 0003)")
def test_a_late_first_connect_of_a_dead_predecessor_does_not_remove_the_living_agent() -> None:
    """Seed 220: the request of a process that died is appended after the connect of the process that follows it."""
    log = Log()
    log.tick()
    log.connect(0, of=2)
    log.connect(0, of=1)
    for seq in range(1, 12):
        log.heartbeat(0, of=2, seq=seq, introduces="v1.0.0")
        log.tick()
    roll = Roll(0, RULES)
    for record in log.records:
        roll.fold(record)
    assert roll.rows[key(0)].presence.value == "connected"
