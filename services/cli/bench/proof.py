"""What proving costs: the fold alone in this process, with and without links, and what verifying a connect takes."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from schemas.credentials import Credential, JwtCredential
from schemas.events import Trusted
from schemas.identity import Identity, JwtIdentity
from schemas.names import CONTROL_KEY
from services.cli.bench.load import Speaker, instance, introduction
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import verify
from services.identity.given import GivenBundles
from services.identity.issuing import NAME, Mint
from services.processor.core.record import Record
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules

WORKLOADS = 500
VERIFIED = 300
SESSION = str(uuid.uuid4())


class Costs(NamedTuple):
    """CPU microseconds of one event each."""

    heartbeat: float
    linked: float
    ec2: float
    token: float


def measure(folder: Path, each: int) -> Costs:
    """Return the least of three turns of everything; ``each`` is how many heartbeats a workload sends in a turn."""
    mint = Mint(folder)
    rounds = [Costs(_fold(None, each), _fold(mint, each), *_connects(mint)) for _ in range(3)]
    return Costs(*(min(column) for column in zip(*rounds, strict=True)))


def _fold(mint: Mint | None, each: int) -> float:
    """Fold the heartbeats of sessions that have begun, in one window."""
    trust = GivenBundles([mint.bundle()]) if mint is not None else GivenBundles([])
    roll = Roll(0, Rules(), trust=trust)
    now = datetime.now(UTC)
    speakers = [Speaker(number, mint) for number in range(WORKLOADS)]
    written = [(one.key, one.connect(now)) for one in speakers]
    if mint is not None:
        written.insert(0, (CONTROL_KEY, Trusted(bundle=mint.bundle().digest, owner=str(uuid.uuid4())).to_json()))
    begun = len(written)
    written += [(one.key, one.heartbeat(now)) for _ in range(each) for one in speakers]
    at_ms = int(now.timestamp() * 1000)
    log = [Record(offset, at_ms, key, value) for offset, (key, value) in enumerate(written)]
    for record in log[:begun]:
        roll.fold(record)
    return _microseconds(lambda: list(roll.fold_all(log[begun:])), len(log) - begun)


def _connects(mint: Mint) -> tuple[float, float]:
    machine = introduction(1).identity
    document = Credential(ec2=mint.ec2(instance(1)))
    host = Identity(jwt=JwtIdentity(issuer=NAME, subject="host-1"))
    token = Credential(jwt=JwtCredential(issuer=NAME, token=mint.token("host-1")))
    return _verify(mint, document, machine), _verify(mint, token, host)


def _verify(mint: Mint, shown: Credential, claimed: Identity) -> float:
    bundle, now = mint.bundle(), datetime.now(UTC)
    match verify(bundle, shown, claimed, now, SESSION):
        case Refusal(message=why):
            raise AssertionError(f"what the mint signs does not prove: {why}")
        case Accepted():
            pass
    return _microseconds(lambda: [verify(bundle, shown, claimed, now, SESSION) for _ in range(VERIFIED)], VERIFIED)


def _microseconds(work: Callable[[], object], times: int) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) / times * 1e6
