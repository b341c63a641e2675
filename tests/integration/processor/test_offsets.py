"""What is committed: never more than what was folded and is durable, whatever the offsets of the log look like."""

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.topics import EVENTS, PRESENCE_CHANGELOG
from services.processor.core.rows import partition_key
from tests.integration.processor.house import House
from tests.support.eventually import eventually

FLEET = 40


async def _commits_reach(house: House, wanted: dict[int, int]) -> None:
    async def so() -> bool:
        committed = await house.committed()
        return all(committed.get(partition, 0) >= offset for partition, offset in wanted.items())

    await eventually(so, f"commits to reach {wanted}", within_s=60, every_s=0.2)


async def test_the_commit_is_always_the_resume_of_a_row_that_is_stored(house: House) -> None:
    """ADR 0004: it trails to the tick before the last durable tick, and every row of a tick says which that is."""
    homes = house.members(FLEET)
    worker = house.worker()
    await house.ready(worker)
    seen: set[tuple[int, int]] = set()
    for window in range(12):
        await house.tell(homes, range(window, window + 1))
        committed = await house.committed()
        resumes = {(partition, row.resume) for partition, rows in (await house.ticks()).items() for row in rows} | {
            (partition, 0) for partition in homes
        }
        assert set(committed.items()) <= resumes
        seen |= set(committed.items())
    assert len({partition for partition, offset in seen if offset > 0}) == len(homes)
    await house.drain(worker)
    assert await house.disagreements() == []


async def test_gaps_in_the_offsets_hold_up_neither_the_fold_nor_the_commit(house: House) -> None:
    """Markers of transactions take offsets that no consumer ever gets."""
    homes = house.members(FLEET)
    worker = house.worker()
    fenced = AIOKafkaProducer(**house.settings.client_args(), transactional_id="somebody-else")
    await fenced.start()
    ends: dict[int, int] = {}
    try:
        for window in range(8):
            for partition in homes:
                await fenced.begin_transaction()
                await fenced.send(EVENTS, b"never meant", key=b"nobody", partition=partition)
                await fenced.abort_transaction()
            ends = await house.tell(homes, range(window, window + 1))
    finally:
        await fenced.stop()
    await house.rolled(ends)
    await _commits_reach(house, ends)
    await house.drain(worker)
    log = await house.records(EVENTS)
    assert all(records[-1].offset + 1 > len(records) for records in log.values()), "the log has no gaps"
    assert await house.disagreements() == []


async def test_records_that_expired_before_they_were_read_again_do_not_stop_a_new_owner(house: House) -> None:
    homes = house.members(FLEET)
    ends = await house.tell(homes, range(8))
    await house.drain_after(ends)
    admin = AIOKafkaAdminClient(**house.settings.client_args())
    await admin.start()
    try:
        lost = {partition: offset + 1 for partition, offset in (await house.committed()).items()}
        await admin.delete_records(
            {TopicPartition(EVENTS, partition): RecordsToDelete(before) for partition, before in lost.items()}
        )
    finally:
        await admin.close()
    worker = house.worker()
    ends = await house.tell(homes, range(8, 12))
    await house.rolled(ends)
    await _commits_reach(house, lost)
    await house.drain(worker)


async def test_records_that_cannot_be_taken_are_dead_lettered_and_the_partition_goes_on(house: House) -> None:
    homes = house.members(FLEET)
    worker = house.worker()
    await house.tell(homes, range(2))
    (first, *_), (stray, *_) = homes[0], homes[1]
    broken = [
        (first.key, b"\xff not JSON"),
        (first.key, b'{"v":9,"type":"heartbeat"}'),
        (first.key, b'{"v":1,"type":"coup"}'),
        (first.key, b'{"v":1,"type":"heartbeat","seq":1}'),
        (b"not/a-key", first.heartbeat()[1]),
        (first.key, stray.connect()[1]),
        stray.connect(),  # the right key in the wrong partition
        (first.key, b"x" * 900_000),
    ]
    await house.write(0, broken)
    ends = await house.tell(homes, range(2, 6))
    await house.rolled(ends)
    letters = await house.letters()
    assert len(letters) == len(broken)
    assert all(letter.topic == EVENTS and letter.partition == 0 for letter in letters)
    assert [letter.value for letter in sorted(letters, key=lambda one: one.offset)] == [value for _, value in broken]
    assert await house.metric(worker, "muster_processor_rejected_total") == len(broken)
    await house.drain(worker)
    assert await house.disagreements() == []


async def test_a_worker_that_is_told_to_stop_commits_what_it_folded_and_ends_well(house: House) -> None:
    homes = house.members(FLEET)
    worker = house.worker(group__commit_seconds=60)
    ends = await house.tell(homes, range(6))
    await house.rolled(ends)
    assert not any((await house.committed()).values()), "committed before it was told to stop"
    await house.drain(worker)
    newest = {partition: rows[-1] for partition, rows in (await house.ticks()).items()}
    assert await house.committed() == {partition: row.resume for partition, row in newest.items()}
    assert (await house.rows()).keys() == {int(partition_key(p).rpartition(b"/")[2]) for p in homes}
    assert (await house.records(PRESENCE_CHANGELOG)).keys() == homes.keys()
    assert await house.disagreements() == []
