"""Sessions that are older than the log's first trust bundle: agents that were there before the processor."""

import time

import pytest

from schemas.events import Heartbeat
from schemas.names import CONTROL_KEY
from services.processor.core.record import Reject
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from tests.support.logs import Log, introduction, key, session
from tests.support.proofs import ProvenSession, trust, trusted


def begun() -> tuple[Log, ProvenSession]:
    # Now: the mint's certificate was made a moment ago.
    log, living = Log(now=int(time.time() * 1000)), ProvenSession(introduction(1), session(1))
    log.append(key(1), living.connect().to_json())
    log.append(CONTROL_KEY, trusted().to_json())
    return log, living


@pytest.mark.parametrize("at_once", [True, False])
def test_one_that_proves_itself_later_is_verified_though_nothing_else_is_new(at_once: bool) -> None:  # noqa: FBT001
    log, living = begun()
    for introduces in (False, True, False):
        log.append(key(1), living.heartbeat(introduces=introduces).to_json())
    log.append(key(1), Heartbeat(session=session(1), seq=9, link="11" * 32).to_json())
    roll = Roll(0, Rules(), trust=trust())
    effects = [one for record in log.records for one in roll.fold(record)] if not at_once else []
    for _, found in roll.fold_all(log.records) if at_once else ():
        effects += found
    row = roll.rows[key(1)]
    assert row.verified is not None
    assert row.revision == 3
    assert row.chain is not None
    assert [one.reason for one in effects if isinstance(one, Reject)] == ["ForgedLink"]


def test_one_that_proves_nothing_is_rejected_where_it_introduces_itself_and_lives_on() -> None:
    log, _ = begun()
    log.heartbeat(1, of=1, seq=1, introduces="v1.0.0")
    log.heartbeat(1, of=1, seq=2)
    roll = Roll(0, Rules(), trust=trust())
    effects = [one for record in log.records for one in roll.fold(record)]
    assert [one.reason for one in effects if isinstance(one, Reject)] == ["IdentityNotVerified"]
    assert roll.rows[key(1)].verified is None
    assert roll.attendance.sheet == {key(1): 2}
