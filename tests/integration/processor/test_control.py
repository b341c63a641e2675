"""Signed control records on a real Kafka: time passes by what the processors' key signed, whatever else is written."""

import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

from schemas.events import Control, Override, OverrideAction, Resumed, Tick, Trusted
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS, REJECTED
from services.identity.issuing import Mint
from services.identity.signing import Signer, signer
from services.processor.core.rows import PartitionRow, partition_key
from tests.integration.processor.house import MUSTER, House
from tests.support.eventually import eventually
from tests.support.proofs import OWNER, mint


def _key(folder: Path) -> tuple[Path, Signer]:
    file = folder / "processor.key"
    found = signer(file, "a key")
    assert found is not None
    return file, found


async def _override(house: House, *words: str) -> None:
    servers = f"--bootstrap-servers={house.settings.bootstrap_servers}"
    argv = [sys.executable, *MUSTER, "override", *words, "--all", "--why", "test", "--who", "ann", "--yes", servers]
    process = await create_subprocess_exec(*argv, stdout=PIPE, stderr=PIPE)
    _out, err = await process.communicate()
    assert process.returncode == 0, err.decode()


async def _held(house: House) -> bool:
    """Whether removals are held in every partition, as the newest rows have it."""
    found = [rows.get(partition_key(number)) for number, rows in (await house.rows()).items()]
    return all(isinstance(row, PartitionRow) and row.held for row in found)


async def test_time_passes_and_orders_hold_by_what_was_signed_alone(house: House, tmp_path: Path) -> None:
    """A forger speaks for owner and operator in every partition; a true order is obeyed, and its copy is not."""
    file, ours = _key(mint().folder)
    bundle = tmp_path / "trust.json"
    digest = mint().write_bundle(bundle, signed_control=True).digest
    worker = house.worker(trust__bundle=bundle, trust__key=file, rules__window_ms=1000)
    await house.trusting(worker)
    _elses_file, elses = _key(Mint(tmp_path / "other").folder)
    hold = Override(action=OverrideAction.HOLD_REMOVALS, who="mallory", why="so", after=0)
    forged: list[Control] = [
        Tick(window=0, owner=OWNER),
        Resumed(owner=OWNER, after=0),
        Trusted(bundle="sha256:garbage", owner=OWNER, after=0),
        Trusted(bundle=digest, owner=OWNER, after=0),
        hold,
    ]
    for number in range(house.partitions):
        said = [elses.signed(event, number) for event in forged] + [ours.signed(hold, number + 1), hold]
        end = await house.write(number, [(CONTROL_KEY, event.to_json()) for event in said])
        await house.rolled({number: end + 1})
    letters = [record for found in (await house.records(REJECTED)).values() for record in found]
    assert sum(b'"ForgedControl"' in (letter.value or b"") for letter in letters) == 7 * house.partitions
    assert not await _held(house)

    await _override(house, "hold-removals", "--key", str(file))

    async def held() -> bool:
        return await _held(house)

    await eventually(held, "removals to be held everywhere", within_s=60, every_s=0.2)
    log = await house.records(EVENTS)
    order = {number: next(one.value for one in found if b'"who":"ann"' in one.value) for number, found in log.items()}
    await _override(house, "resume-removals", "--key", str(file))
    for number, value in order.items():
        end = await house.write(number, [(CONTROL_KEY, value)])
        await house.rolled({number: end + 1})
    assert not await _held(house)
    assert await house.metric(worker, "muster_processor_ignored_total") >= house.partitions
    await house.drain(worker)


async def test_a_worker_without_a_key_does_not_begin_where_its_bundle_demands_one(house: House, tmp_path: Path) -> None:
    bundle = tmp_path / "trust.json"
    mint().write_bundle(bundle, signed_control=True)
    worker = house.worker(trust__bundle=bundle)

    async def ended() -> bool:
        return not worker.running

    await eventually(ended, "the worker to end", within_s=30)
    assert worker.status == 2
    assert "trust.key" in worker.log.read_text()
