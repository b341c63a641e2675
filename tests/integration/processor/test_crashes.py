"""Workers that die or fail in the middle of a chunk: what they leave is as if nothing had happened."""

import pytest

from schemas.topics import PRESENCE_CHANGELOG, WORKLOADS
from tests.integration.processor.house import House

FLEET = 60
KILLED = 137


@pytest.mark.parametrize(("chunk", "deaths"), [(50_000, (1, 1700, 650)), (100, (130, 950))])
async def test_workers_killed_in_mid_chunk_leave_output_and_table_as_one_fold_would(
    house: House, chunk: int, deaths: tuple[int, ...]
) -> None:
    """The numbers are of records folded before the end; the next worker reads what was not committed again."""
    ends = await house.tell(house.members(FLEET))
    for after in deaths:
        dying = house.worker(("die", after), group__chunk_records=chunk)
        assert await dying.ended(60) == KILLED
    last = house.worker(group__chunk_records=chunk)
    await house.rolled(ends)
    await house.drain(last)
    assert await house.disagreements() == []


async def test_a_bug_in_the_fold_ends_the_worker_and_commits_nothing_of_it(house: House) -> None:
    ends = await house.tell(house.members(FLEET), range(6))
    failing = house.worker(("fail", 300))
    assert await failing.ended(60) not in {0, KILLED, None}
    assert "a bug shows at offset" in failing.log.read_text()
    table = await house.rows()
    for partition, offset in (await house.committed()).items():
        assert offset <= house.revision(table[partition], partition) + 1
    await house.drain_after(ends)
    assert await house.disagreements() == []


async def test_the_first_record_of_a_partition_is_told_again_by_the_next_owner(house: House) -> None:
    """Offset 0 is committed by nobody, and Faust and aiokafka both take a 0 for nothing."""
    homes = house.members(1)
    (partition,) = (number for number, members in homes.items() if members)
    await house.write(partition, [homes[partition][0].connect()])
    dying = house.worker(("die", 1))
    assert await dying.ended(60) == KILLED
    assert not (await house.committed()).get(partition)
    await house.drain_after({partition: 1})
    assert len((await house.records(WORKLOADS))[partition]) > 0
    assert await house.disagreements() == []


async def test_late_rows_of_a_zombie_owner_do_not_take_the_table_back(house: House) -> None:
    """An owner that lost its partition may write a row after its successor wrote a newer one."""
    ends = await house.tell(house.members(FLEET), range(6))
    await house.drain_after(ends)
    before = await house.rows()
    for partition, records in (await house.records(PRESENCE_CHANGELOG)).items():
        first = {record.key: record for record in reversed(records)}
        for record in first.values():
            await house.producer.send_and_wait(
                PRESENCE_CHANGELOG, record.value, key=record.key, partition=partition, headers=list(record.headers)
            )
    worker = house.worker()
    await house.rolled({number: house.revision(rows, number) + 1 for number, rows in before.items()})
    await house.drain(worker)
    assert await house.disagreements() == []


async def test_an_effect_that_kafka_refuses_ends_the_worker_and_is_told_by_the_next(house: House) -> None:
    """Faust would only log it, and commit what came after."""
    ends = await house.tell(house.members(FLEET), range(6))
    await house.configure(WORKLOADS, {"max.message.bytes": "100"})
    failing = house.worker()
    assert await failing.ended(60) not in {0, KILLED, None}
    assert "an effect could not be written" in failing.log.read_text()
    assert not any((await house.committed()).values())
    await house.configure(WORKLOADS, {"max.message.bytes": "1048588"})
    await house.drain_after(ends)
    assert await house.disagreements() == []
