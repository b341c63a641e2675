"""IAM roles on a real Kafka, asked of an STS on the loopback: an identity has only what STS said of this machine."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from schemas.codec import decode_event
from schemas.events import RoleChecked
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS, WORKLOADS
from schemas.workloads import Workload
from services.identity.core import caller
from services.identity.issuing import Mint
from tests.integration.evidence import newest, workloads
from tests.integration.processor.house import House
from tests.integration.processor.story import home
from tests.support.eventually import eventually
from tests.support.logs import introduction, session
from tests.support.proofs import OWNER, ProvenSession, credential, mint
from tests.support.sts import KEYS, REGION, StsServer, role_arn


@pytest.fixture
async def sts() -> AsyncIterator[StsServer]:
    async with StsServer() as server:
        yield server


def _machine(number: int, sts: StsServer, *, is_really: int | None = None) -> ProvenSession:
    """Return a machine that shows its role; STS knows the keys it shows as those of ``is_really``."""
    keys = KEYS._replace(access_key=f"AKID{number}")
    sts.knows(keys, role_arn(f"i-{is_really if is_really is not None else number:017x}"))
    asked = caller.request(keys, REGION, "muster", session(number), datetime.now(UTC))
    shown = credential(introduction(number).identity).model_copy(update={"iam_role": asked})
    return ProvenSession(introduction(number), session(number), shown=shown)


def _role(state: Workload | None) -> str | None:
    assert state is not None
    aws = state.workload.identity.aws
    assert aws is not None
    assert aws.ec2 is not None
    return aws.ec2.iam_role


async def _connect(house: House, machine: ProvenSession) -> int:
    key = machine.introduction.key.to_bytes()
    return await house.write(home(key, house.partitions), [(key, machine.connect().to_json())])


async def _checked(house: House) -> list[RoleChecked]:
    records = [record for found in (await house.records(EVENTS)).values() for record in found]
    events = [decode_event(record.key, record.value) for record in records]
    return [event for event in events if isinstance(event, RoleChecked)]


async def _answers(house: House, count: int) -> list[RoleChecked]:
    async def so() -> list[RoleChecked] | None:
        found = await _checked(house)
        return found if len(found) >= count else None

    return await eventually(so, f"{count} answers of STS in the log", within_s=60, every_s=0.2)


async def _state(house: House, machine: ProvenSession) -> Workload | None:
    return newest(workloads(await house.records(WORKLOADS))).get(machine.introduction.key.to_bytes())


async def test_a_role_that_sts_confirms_of_this_machine_stands_in_its_verified_identity(
    house: House, sts: StsServer
) -> None:
    """And one of another machine, shown by this one, does not; nor what an agent writes in the processor's place."""
    worker = house.worker(trust__key=mint().folder / "processor.key", trust__sts_endpoint=sts.endpoint)
    await house.trusting(worker)
    its_own, borrowed, silent = (
        _machine(1, sts),
        _machine(2, sts, is_really=1),
        ProvenSession(introduction(3), session(3)),
    )
    ends = dict.fromkeys(range(house.partitions), -1)
    for machine in (its_own, borrowed, silent):
        await _connect(house, machine)
    answers = {event.session: event for event in await _answers(house, 2)}
    assert answers[its_own.session].role == "ratings"
    assert answers[borrowed.session].role is None
    assert "not this machine" in answers[borrowed.session].message
    forged = RoleChecked(
        workload=silent.introduction.key.to_bytes().decode(),
        session=silent.session,
        account="123456789012",
        role="admin",
        signature="forged",
        owner=OWNER,
    )
    for partition in ends:
        ends[partition] = await house.write(partition, [(CONTROL_KEY, forged.to_json())])
    await house.rolled({partition: end + 1 for partition, end in ends.items()})
    assert [_role(await _state(house, machine)) for machine in (its_own, borrowed, silent)] == ["ratings", None, None]
    told = await _state(house, its_own)
    assert told is not None
    assert told.verified is not None
    assert told.verified.method == "ec2-rsa2048"
    assert await house.metric(worker, "muster_processor_role_checks_total") == 2
    await house.drain(worker)
    await house.drain_after(ends)
    assert await house.disagreements() == []


async def test_a_role_is_asked_for_again_at_an_introduction_once_sts_is_back(house: House, sts: StsServer) -> None:
    worker = house.worker(trust__key=mint().folder / "processor.key", trust__sts_endpoint=sts.endpoint)
    await house.trusting(worker)
    machine = _machine(1, sts)
    sts.failures = [503] * 3
    await _connect(house, machine)
    [first] = await _answers(house, 1)
    assert (first.role, "503" in first.message) == (None, True)
    key = machine.introduction.key.to_bytes()
    await house.write(home(key, house.partitions), [(key, machine.heartbeat(introduces=True).to_json())])
    assert (await _answers(house, 2))[-1].role == "ratings"

    async def known() -> bool:
        return _role(await _state(house, machine)) == "ratings"

    await eventually(known, "the role in the workload's identity", within_s=60, every_s=0.2)
    await house.drain(worker)


async def test_a_processor_whose_key_the_bundle_does_not_name_says_so_at_its_start(
    house: House, sts: StsServer
) -> None:
    key = Mint(house.folder / "other").folder / "processor.key"
    worker = house.worker(trust__key=key, trust__sts_endpoint=sts.endpoint)
    await house.ready(worker)
    assert "nobody believes what this processor says" in worker.log.read_text()
    await house.drain(worker)
