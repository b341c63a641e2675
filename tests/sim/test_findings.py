"""What the simulation found and the cores have mended since, each as the shortest log that showed it."""

from datetime import UTC, datetime

from schemas.names import CONTROL_KEY
from schemas.rejected import Rejected, RejectReason
from services.processor.core.record import Record, Reject
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from tests.support.logs import introduction
from tests.support.proofs import ProvenSession, trust, trusted
from tests.support.registry import session

RULES = Rules(window_ms=1000, missed_windows=3, grace_windows=4)


def test_a_late_first_connect_of_a_dead_predecessor_does_not_remove_the_living_agent() -> None:
    """Seed 220: the request of a process that died is appended after the connect of the process that follows it."""
    who = introduction(0)
    dead = ProvenSession(who, session(1))
    living = ProvenSession(who, session(2), before=dead)
    written = [living.connect(), dead.connect(), *(living.heartbeat() for _ in range(12))]
    roll = Roll(0, RULES, trust=trust())
    # The mint of this run is believed from yesterday on.
    now = int(datetime.now(UTC).timestamp() * 1000)
    roll.fold(Record(0, now, CONTROL_KEY, trusted().to_json()))
    letters = []
    for offset, event in enumerate(written, 1):
        effects = roll.fold(Record(offset, now + 400 * offset, who.key.to_bytes(), event.to_json()))
        letters += [Rejected.model_validate_json(one.value).reason for one in effects if isinstance(one, Reject)]
    row = roll.rows[who.key.to_bytes()]
    assert (row.presence.value, row.session) == ("connected", session(2))
    assert letters == [RejectReason.DUPLICATE_IDENTITY]
    assert roll.attendance.highest(who.key.to_bytes()) == len(written) - 2
