"""The story of the night in deploy/an-sres-night.md: a switch dies, five machines behind it live on and are removed."""

import uuid
from datetime import UTC, datetime, timedelta

from schemas.events import Resumed, Trusted
from schemas.names import CONTROL_KEY
from tests.golden.proofs import small_bundles
from tests.support.logs import OWNER, Log, introduction, key
from tests.support.proofs import ProvenSession

BEGUN = datetime(2026, 11, 24, 3, 5, tzinfo=UTC)
HEARTBEAT = timedelta(seconds=5)
WINDOW = timedelta(seconds=10)
FLEET = range(1, 13)
BEHIND = range(3, 8)
"""Those whose switch it is."""
OUT, BACK = BEGUN + timedelta(minutes=5, seconds=2), BEGUN + timedelta(minutes=11, seconds=31)
TAKEN_OVER = BEGUN + timedelta(minutes=7, seconds=12)
ENDS = BEGUN + timedelta(minutes=12, seconds=30)
INTRODUCED_EVERY = 36


def switch() -> Log:
    """Return the log of one partition; agents speak 400 ms apart, and a tick comes at each full ten seconds."""
    log = Log()
    living: dict[int, ProvenSession] = {}
    resumed = False

    def say(at: datetime, who: int) -> None:
        log.now = int(at.timestamp() * 1000)
        cut = who in BEHIND and OUT <= at < BACK
        before = living.get(who)
        if before is None or (who in BEHIND and at >= BACK and before.session.endswith("1")):
            # Where its session was ended meanwhile, an agent hears of it and begins another.
            number = 1 if before is None else 2
            living[who] = ProvenSession(introduction(who), str(uuid.UUID(int=who << 16 | number)), before)
            log.append(key(who), living[who].connect().to_json())
        else:
            event = before.heartbeat(introduces=before.seq % INTRODUCED_EVERY == INTRODUCED_EVERY - 1)
            if not cut:
                log.append(key(who), event.to_json())

    log.now = int(BEGUN.timestamp() * 1000)
    log.append(CONTROL_KEY, Trusted(bundle=small_bundles()[0].digest, owner=OWNER).to_json())
    log.resumed()
    at = BEGUN
    while at < ENDS:
        for who in FLEET:
            say(at + timedelta(milliseconds=400 * who), who)
        at += HEARTBEAT
        if not resumed and at >= TAKEN_OVER:
            resumed = True
            log.append(CONTROL_KEY, Resumed(owner=str(uuid.UUID(int=2))).to_json())
        if (at - BEGUN) % WINDOW == timedelta(0):
            log.now = int(at.timestamp() * 1000)
            log.tick(0)
    return log
