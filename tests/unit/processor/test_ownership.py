"""What a worker folds of what it is delivered, and what it may commit of it."""

import asyncio

import pytest

from schemas.topics import PRESENCE_CHANGELOG, WORKLOADS
from services.processor.changelog import revision_of
from services.processor.chunk import Chunk, LostRecordsError
from services.processor.core.rules import Rules
from services.processor.ownership import SLICE, Ownership
from tests.support.logs import Log, key
from tests.unit.processor.outbox import KeptOutbox

RULES = Rules(window_ms=1000)
GENERATION = 4


def _log() -> Log:
    """Return three windows of one workload: ticks at 2, 4 and 6."""
    log = Log()
    log.connect(1)
    for seq in (1, 2, 3):
        log.heartbeat(1, seq=seq)
        log.tick()
    return log


@pytest.fixture
async def outbox() -> KeptOutbox:
    return KeptOutbox()


@pytest.fixture
async def ownership(outbox: KeptOutbox) -> Ownership:
    """Return the owner of the only partition, which has no rows yet."""
    ownership = Ownership(RULES, 1, outbox)
    ownership.take(GENERATION, {0: ()})
    return ownership


def _chunk(log: Log, after: int | None = None, generation: int = GENERATION) -> Chunk:
    return Chunk(0, generation, after, log.records if after is None else log.records[after + 1 :])


async def test_before_anything_was_folded_nothing_is_to_be_committed(ownership: Ownership) -> None:
    assert ownership.committable(0) is None


async def test_the_commit_trails_to_just_after_the_tick_before_the_last(ownership: Ownership) -> None:
    await ownership.fold(_chunk(_log()))
    assert ownership.committable(0) == 5


async def test_effects_are_handed_over_in_the_order_of_the_fold(ownership: Ownership, outbox: KeptOutbox) -> None:
    await ownership.fold(_chunk(_log()))
    assert [record.topic for record in outbox.posted] == [WORKLOADS, *[PRESENCE_CHANGELOG] * 4]
    assert {record.partition for record in outbox.posted} == {0}


async def test_a_chunk_of_another_generation_is_passed_over(ownership: Ownership, outbox: KeptOutbox) -> None:
    await ownership.fold(_chunk(_log(), generation=GENERATION - 1))
    assert ownership.owned[0].roll.position == 0
    assert outbox.posted == []


async def test_a_chunk_of_somebody_elses_partition_is_passed_over(ownership: Ownership) -> None:
    await ownership.fold(Chunk(3, GENERATION, None, _log().records))
    assert ownership.committable(3) is None


async def test_nothing_is_folded_while_the_group_rebalances(ownership: Ownership) -> None:
    await ownership.hold()
    await ownership.fold(_chunk(_log()))
    assert ownership.committable(0) is None


async def test_records_missing_between_two_chunks_leave_nothing_to_commit(ownership: Ownership) -> None:
    log = _log()
    await ownership.fold(Chunk(0, GENERATION, None, log.records[:2]))
    with pytest.raises(LostRecordsError, match="records after 3 were delivered, expected after 1"):
        await ownership.fold(_chunk(log, after=3))
    assert ownership.committable(0) is None


async def test_gaps_in_the_offsets_are_none_of_its_business(ownership: Ownership) -> None:
    log = _log()
    there = [record for record in log.records if record.offset not in {1, 3}]
    await ownership.fold(Chunk(0, GENERATION, None, there[:2]))
    await ownership.fold(Chunk(0, GENERATION, there[1].offset, there[2:]))
    assert ownership.committable(0) == 5


async def test_what_could_not_be_handed_over_is_not_committed(ownership: Ownership, outbox: KeptOutbox) -> None:
    outbox.failure = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        await ownership.fold(_chunk(_log()))
    assert ownership.committable(0) is None


async def test_ownership_that_ends_in_mid_chunk_ends_after_the_slice_under_way(
    ownership: Ownership, outbox: KeptOutbox
) -> None:
    log = _log()
    while len(log.records) < 3 * SLICE:
        log.heartbeat(1, seq=len(log.records))
    outbox.open.clear()
    folding = asyncio.create_task(ownership.fold(_chunk(log)))
    await asyncio.sleep(0)
    holding = asyncio.create_task(ownership.hold())
    await asyncio.sleep(0)
    assert not holding.done(), "let go while a slice was half handed over"
    outbox.open.set()
    await asyncio.gather(folding, holding)
    assert ownership.owned[0].roll.position == SLICE
    assert ownership.committable(0) == 5


async def test_the_rest_of_a_chunk_is_not_folded_into_the_roll_of_the_next_generation(
    ownership: Ownership, outbox: KeptOutbox
) -> None:
    log = _log()
    while len(log.records) < 3 * SLICE:
        log.heartbeat(1, seq=len(log.records))
    outbox.open.clear()
    folding = asyncio.create_task(ownership.fold(_chunk(log)))
    await asyncio.sleep(0)
    outbox.open.set()
    await ownership.hold()
    ownership.lose()
    ownership.take(GENERATION + 1, {0: ()})
    await folding
    assert ownership.owned[0].roll.position == 0
    assert ownership.committable(0) is None


async def test_a_workload_in_the_wrong_partition_is_dead_lettered(outbox: KeptOutbox) -> None:
    ownership = Ownership(RULES, 2, outbox)
    ownership.take(GENERATION, {0: (), 1: ()})
    log = Log()
    log.connect(1)
    for partition in (0, 1):
        await ownership.fold(Chunk(partition, GENERATION, None, log.records))
    assert sorted(record.topic for record in outbox.posted) == [PRESENCE_CHANGELOG, "muster.rejected", WORKLOADS]


async def test_what_is_known_is_told_again_as_newer_than_a_zombies_late_row(outbox: KeptOutbox) -> None:
    """Compaction keeps the last record of a key: it must be the owner's."""
    ownership = Ownership(RULES, 1, outbox, refresh_windows=2)
    ownership.take(GENERATION, {0: ()})
    log = Log()
    for seq in range(6):
        log.connect(0) if seq == 0 else log.heartbeat(0, seq=seq)
        log.tick()
    for start in range(len(log.records)):
        await ownership.fold(Chunk(0, GENERATION, start - 1 if start else None, log.records[start : start + 1]))
    rows = [one for one in outbox.posted if one.key == key(0) and one.topic == PRESENCE_CHANGELOG]
    states = [one.value for one in outbox.posted if one.topic == WORKLOADS]
    assert len(rows) == len(states) == 4
    assert len(set(states)) == 1
    assert [revision_of(one.headers, "") for one in rows] == [0, 3, 7, 11]


async def test_nothing_is_told_again_for_as_long_as_compaction_waits(ownership: Ownership, outbox: KeptOutbox) -> None:
    log = Log()
    log.connect(0)
    for seq in range(1, 100):
        log.heartbeat(0, seq=seq)
        log.tick()
    await ownership.fold(_chunk(log))
    assert len([one for one in outbox.posted if one.topic == WORKLOADS]) == 1
