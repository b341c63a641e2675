"""Workers that come and go, and a Kafka that goes and comes back: the roll is called as if by one worker."""

import os
import signal

from schemas.topics import EVENTS
from services.local.kafka import Kafka
from tests.integration.processor.house import House
from tests.support.eventually import eventually

FLEET = 60


async def test_a_second_worker_comes_and_goes_and_the_roll_is_called_as_by_one(house: House) -> None:
    homes = house.members(FLEET)
    first = house.worker()
    await house.tell(homes, range(6))
    second = house.worker()
    await house.shared(1, 1)
    await house.tell(homes, range(6, 10))
    await house.drain(first)
    await house.shared(2)
    await house.rolled(await house.tell(homes, range(10, 20)))
    await house.drain(second)
    assert await house.disagreements() == []


async def test_a_partition_lost_in_mid_chunk_is_folded_on_by_the_next_owner_alone(house: House) -> None:
    """The slow worker takes the whole log in one chunk per partition; the other comes while it is at the first."""
    homes = house.members(FLEET)
    ends = await house.tell(homes)
    records = sum(map(len, (await house.records(EVENTS)).values()))
    slow = house.worker(("slow", 50), group__chunk_records=50_000)

    async def at_it() -> bool:
        return await house.metric(slow, "muster_processor_records_total") > 0

    await eventually(at_it, "the slow worker to fold", within_s=60)
    quick = house.worker()
    await house.shared(1, 1)
    assert await house.metric(slow, "muster_processor_records_total") < records, "the log was folded too soon"
    house.hurry.touch()
    await house.rolled(ends)
    await house.drain(slow)
    await house.drain(quick)
    assert await house.disagreements() == []


async def test_a_worker_that_is_killed_hands_its_partitions_to_the_other(house: House) -> None:
    homes = house.members(FLEET)
    first, second = house.worker(), house.worker()
    await house.shared(1, 1)
    await house.tell(homes, range(6))
    await first.kill()
    await house.shared(2)
    await house.rolled(await house.tell(homes, range(6, 16)))
    await house.drain(second)
    assert await house.disagreements() == []


async def test_a_worker_waits_for_a_kafka_that_went_away_and_nobody_expires_meanwhile(
    shaky_house: tuple[House, Kafka],
) -> None:
    house, kafka = shaky_house
    homes = house.members(FLEET)
    worker = house.worker()
    await house.rolled(await house.tell(homes, range(3)))
    await kafka.kill()
    failures = "muster_processor_tick_failures_total"

    async def noticed() -> bool:
        assert worker.running, worker.tail()
        return (await house.page(worker, "readyz"))[0] != 200 or await house.metric(worker, failures) > 0

    await eventually(noticed, "the worker to notice", within_s=60)
    await kafka.start()
    await house.rolled(await house.tell(homes, range(3, 10)))
    assert (await house.page(worker, "healthz"))[0] == 200
    await house.ready(worker)
    await house.drain(worker)
    assert await house.disagreements() == []


async def test_a_worker_that_cannot_drain_because_kafka_is_away_ends_all_the_same(
    shaky_house: tuple[House, Kafka],
) -> None:
    house, kafka = shaky_house
    homes = house.members(FLEET)
    worker = house.worker(drain_seconds=1)
    await house.rolled(await house.tell(homes, range(3)))
    await kafka.kill()
    os.kill(worker.pid, signal.SIGTERM)
    assert await worker.ended(30) is not None
    await kafka.start()
    await house.drain_after(await house.tell(homes, range(3, 6)))
    assert await house.disagreements() == []
