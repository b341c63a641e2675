"""What STS says of roles, as the log hears of it: signed by the worker, of the machine that asked, once at a time."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from aiokafka.errors import KafkaConnectionError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.codec import decode_event
from schemas.credentials import StsRequest
from schemas.events import RoleChecked
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from services.identity.core.caller import Caller, NoRoleError
from services.identity.core.keys import vouched
from services.identity.issuing import Mint
from services.identity.signing import Signer, signer
from services.identity.sts import UnreachableError
from services.processor.core.record import CheckRole
from services.processor.rolechecks import AT_ONCE, RoleChecks
from services.runtime.config import ConfigError

KEY = Signer(Ed25519PrivateKey.generate())
OWNER = "00000000-0000-4000-8000-0000000000aa"
SESSION = "00000000-0000-4000-8000-000000000001"
INSTANCE = "i-1234567890abcdef0"
WORKLOAD = f"bookinfo/ratings/aws-aws-123456789012-us-east-2b-ec2-{INSTANCE}".encode()
QUESTION = CheckRole(WORKLOAD, SESSION, StsRequest(url="https://sts.us-east-2.amazonaws.com/"), asked=41)
RATINGS = Caller("aws", "123456789012", "ratings", INSTANCE)


class World:
    """An STS that says what it is told to, and a log."""

    def __init__(self) -> None:
        self.says: Caller | Exception = RATINGS
        self.open = asyncio.Event()
        self.open.set()
        self.under_way = self.asked = self.most = 0
        self.sessions: list[str] = []
        self.kafka_is_away = False
        self.log: list[tuple[int, RoleChecked]] = []
        self.checks = RoleChecks(self, KEY, self.append, OWNER)

    async def check(self, _request: StsRequest, session: str) -> Caller:
        self.sessions.append(session)
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.open.wait()
        self.under_way -= 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    async def append(self, topic: str, partition: int, key: bytes, value: bytes) -> int:
        if self.kafka_is_away:
            raise KafkaConnectionError("gone")
        event = decode_event(key, value)
        assert isinstance(event, RoleChecked), event
        assert (topic, key) == (EVENTS, CONTROL_KEY)
        self.log.append((partition, event))
        return len(self.log)

    async def settled(self) -> None:
        """Return when nothing is under way."""
        await asyncio.gather(*self.checks._tasks.values())


def _signed(checked: RoleChecked, partition: int) -> bool:
    return vouched((KEY.public,), checked.statement(partition), checked.signature)


@pytest.fixture
async def world() -> World:
    return World()


async def test_a_confirmed_role_is_in_the_log_of_the_same_partition_signed(world: World) -> None:
    world.checks.ask(3, QUESTION)
    await world.settled()
    [(partition, checked)] = world.log
    assert world.sessions == [SESSION]
    assert partition == 3
    assert (checked.workload, checked.session) == (WORKLOAD.decode(), SESSION)
    assert (checked.account, checked.role, checked.message) == ("123456789012", "ratings", "")
    assert (checked.asked, checked.answered) == (41, True)
    assert _signed(checked, 3)
    assert not _signed(checked, 2)
    assert not _signed(checked.model_copy(update={"asked": 42}), 3)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (RATINGS._replace(session="i-0fedcba9876543210"), "which is not this machine"),
        (RATINGS._replace(account="999999999999"), "which is not this machine"),
        (RATINGS._replace(session="a-person", role="admin"), "which is not this machine"),
        (NoRoleError("STS refuses the request with 403"), "STS refuses the request with 403"),
        (UnreachableError("STS does not answer"), "STS does not answer"),
        (NoRoleError("x" * 5000), "x" * 500),
    ],
)
async def test_what_is_not_confirmed_is_in_the_log_with_the_reason(
    says: Caller | Exception, words: str, world: World
) -> None:
    world.says = says
    world.checks.ask(0, QUESTION)
    await world.settled()
    [(_partition, checked)] = world.log
    assert checked.role is None
    assert words in checked.message
    assert checked.answered == (not isinstance(says, UnreachableError))
    assert _signed(checked, 0)


@pytest.mark.parametrize(
    ("signed_at", "lasts", "asked"),
    [("20261123T120000Z", "300", False), ("20261123T120001Z", "300", True), ("soon", "9", True), ("", "x" * 99, True)],
)
async def test_a_request_that_came_too_late_to_be_asked_says_nothing_of_the_machine(
    signed_at: str, lasts: str, *, asked: bool, world: World
) -> None:
    """A worker that was away for minutes asks with what has run out: STS would deny a machine that did no wrong."""
    world.checks = RoleChecks(world, KEY, world.append, OWNER, lambda: datetime(2026, 11, 23, 12, 5, tzinfo=UTC))
    url = f"https://sts.us-east-2.amazonaws.com/?X-Amz-Date={signed_at}&X-Amz-Expires={lasts}"
    world.checks.ask(0, QUESTION._replace(request=StsRequest(url=url)))
    await world.settled()
    [(_partition, checked)] = world.log
    assert (checked.answered, world.asked) == (asked, int(asked))


async def test_the_same_question_is_not_asked_twice_at_a_time_but_again_later(world: World) -> None:
    world.open.clear()
    for _ in range(3):
        world.checks.ask(0, QUESTION)
    world.open.set()
    await world.settled()
    assert world.asked == 1
    world.checks.ask(0, QUESTION)
    await world.settled()
    assert world.asked == 2


async def test_a_crowd_is_asked_for_a_few_at_a_time(world: World) -> None:
    world.open.clear()
    for number in range(3 * AT_ONCE):
        world.checks.ask(0, QUESTION._replace(session=f"00000000-0000-4000-8000-{number:012}"))
    for _ in range(10):
        await asyncio.sleep(0)
    world.open.set()
    await world.settled()
    assert world.most == AT_ONCE
    assert len(world.log) == 3 * AT_ONCE


async def test_while_kafka_is_away_nothing_is_written_and_that_is_said(world: World) -> None:
    world.kafka_is_away = True
    with structlog.testing.capture_logs() as told:
        world.checks.ask(0, QUESTION)
        await world.settled()
    assert "could not be written" in told[0]["event"]
    world.kafka_is_away = False
    world.checks.ask(0, QUESTION)
    await world.settled()
    assert len(world.log) == 1


async def test_a_worker_that_ends_leaves_its_questions_to_the_next(world: World) -> None:
    world.open.clear()
    world.checks.ask(0, QUESTION)
    await asyncio.sleep(0)
    await world.checks.close()
    assert world.log == []
    assert not world.checks._tasks


def test_the_mints_key_is_one_that_its_bundle_believes(tmp_path: Path) -> None:
    mint = Mint(tmp_path)
    key = signer(tmp_path / "processor.key", "trust.key")
    assert key is not None
    assert key.public in mint.bundle().processors


def test_without_a_file_there_is_no_key() -> None:
    assert signer(None, "trust.key") is None


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"", "no private key"), (b"ec2", "not an Ed25519 key")]
)
def test_a_file_that_is_no_such_key_is_named_with_how_to_make_one(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    Mint(tmp_path)
    file = tmp_path / "role.key"
    if content is not None:
        file.write_bytes((tmp_path / "ec2.key").read_bytes() if content else b"")
    with pytest.raises(ConfigError, match=f"trust.key: .*role.key: .*{words}.*openssl genpkey"):
        signer(file, "trust.key")
