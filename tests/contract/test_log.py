"""What Muster relies on of Kafka, and the simulation of its log: one suite for both."""

import pytest
from aiokafka.partitioner import murmur2

from tests.contract.brokers import Broker, Real, Simulated
from tests.sim.log import NotAnsweredError, OutOfRangeError
from tests.support.eventually import eventually


@pytest.fixture
def simulated() -> Broker:
    return Simulated()


@pytest.fixture
def real(kafka: str) -> Broker:
    return Real(kafka)


@pytest.fixture(params=["simulated", "real"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Every claim is made of both."""
    found: Broker = request.getfixturevalue(request.param)
    return found


async def test_what_was_acknowledged_is_read_in_order_under_rising_offsets(broker: Broker) -> None:
    topic = await broker.topic()
    for value in (b"a", b"b", b"c"):
        await broker.append(topic, b"key", value)
    assert [(record.offset, record.key, record.value) for record in await broker.read(topic)] == [
        (0, b"key", b"a"),
        (1, b"key", b"b"),
        (2, b"key", b"c"),
    ]
    assert [record.value for record in await broker.read(topic, start=1)] == [b"b", b"c"]


async def test_the_time_of_a_record_is_the_brokers_and_does_not_go_back(broker: Broker) -> None:
    """What a producer says of the time counts for nothing."""
    topic = await broker.topic()
    before = broker.now_ms()
    for _ in range(3):
        await broker.append(topic, None, b"x")
    times = [record.timestamp for record in await broker.read(topic)]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= broker.now_ms()


async def test_a_key_has_the_partition_that_murmur2_gives_it(broker: Broker) -> None:
    topic = await broker.topic(partitions=3)
    for key in (b"bookinfo/ratings/a", b"bookinfo/ratings/b", b"bookinfo/reviews/c", b"#", b"x" * 80):
        partition = await broker.append(topic, key, b"x", partition=None)
        assert partition == (murmur2(key) & 0x7FFFFFFF) % 3
        assert key in [record.key for record in await broker.read(topic, partition)]


async def test_partitions_count_for_themselves(broker: Broker) -> None:
    topic = await broker.topic(partitions=2)
    for partition in (0, 1, 0):
        await broker.append(topic, None, str(partition).encode(), partition)
    assert [(one.offset, one.value) for one in await broker.read(topic, 0)] == [(0, b"0"), (1, b"0")]
    assert [(one.offset, one.value) for one in await broker.read(topic, 1)] == [(0, b"1")]


async def test_a_producer_that_waits_for_nothing_is_written_once_and_in_order(broker: Broker) -> None:
    topic = await broker.topic()
    values = [str(number).encode() for number in range(200)]
    await broker.append_all(topic, values)
    assert [record.value for record in await broker.read(topic)] == values


async def test_what_was_not_answered_may_be_written_all_the_same(broker: Broker) -> None:
    topic = await broker.topic()
    with pytest.raises(NotAnsweredError):
        await broker.append_unanswered(topic, b"who knows")

    async def written() -> bool:
        return b"who knows" in [record.value for record in await broker.read(topic)]

    await eventually(written, "the record to be there")


async def test_the_end_of_the_log_is_no_error_and_what_is_beyond_it_is(broker: Broker) -> None:
    topic = await broker.topic()
    await broker.append(topic, None, b"x")
    assert await broker.read(topic, start=1) == []
    with pytest.raises(OutOfRangeError):
        await broker.read(topic, start=2)


async def test_retention_moves_the_start_and_what_is_below_it_is_out_of_range(broker: Broker) -> None:
    topic = await broker.topic()
    for value in (b"a", b"b", b"c"):
        await broker.append(topic, None, value)
    await broker.trim(topic, 2)
    assert await broker.ends(topic) == (2, 3)
    assert [(record.offset, record.value) for record in await broker.read(topic, start=2)] == [(2, b"c")]
    with pytest.raises(OutOfRangeError):
        await broker.read(topic, start=1)
    await broker.append(topic, None, b"d")
    assert await broker.ends(topic) == (2, 4)


async def test_compaction_keeps_the_last_of_each_key_where_it_stood(broker: Broker) -> None:
    """Not the newest by what it says: a zombie's late record replaces a newer one (ADR 0004)."""
    topic = await broker.topic(compacted=True)
    told = [(b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", b"newer"), (b"b", b"a zombie's"), (b"c", b"1")]
    for key, value in told:
        await broker.append(topic, key, value)
    for _ in range(3):
        await broker.append(topic, b"filler", b"closes what is before it")
    await broker.compact(topic)
    kept = [record for record in await broker.read(topic) if record.offset < len(told)]
    assert [(one.offset, one.key, one.value) for one in kept] == [
        (2, b"a", b"2"),
        (4, b"b", b"a zombie's"),
        (5, b"c", b"1"),
    ]


async def test_what_is_younger_than_the_lag_is_not_compacted(broker: Broker) -> None:
    """Until then every reader sees what a zombie's late record replaced (ADR 0004)."""
    hour, none = await broker.topic(compacted=True, lag_ms=3_600_000), await broker.topic(compacted=True)
    for topic in (hour, none):
        for value in (b"1", b"2", b"3"):
            await broker.append(topic, b"a", value)
        for _ in range(3):
            await broker.append(topic, b"filler", b"closes what is before it")
    await broker.compact(none, hour)
    kept = {topic: [one.value for one in await broker.read(topic) if one.key == b"a"] for topic in (hour, none)}
    assert kept == {hour: [b"1", b"2", b"3"], none: [b"3"]}


async def test_a_tombstone_outlives_what_it_deletes(broker: Broker) -> None:
    topic = await broker.topic(compacted=True)
    for value in (b"1", None):
        await broker.append(topic, b"a", value)
    for _ in range(3):
        await broker.append(topic, b"filler", b"closes what is before it")
    await broker.compact(topic)
    assert [record.value for record in await broker.read(topic) if record.key == b"a"] == [None]


async def test_a_new_member_reads_on_from_what_was_committed(broker: Broker) -> None:
    topic = await broker.topic()
    for _ in range(3):
        await broker.append(topic, None, b"x")
    assert await broker.committed("muster", topic) is None
    assert await broker.commit("muster", topic, 2)
    assert await broker.committed("muster", topic) == 2


async def test_a_member_of_an_earlier_generation_commits_nothing_but_still_appends(broker: Broker) -> None:
    """Two owners: Kafka fences what they commit, and nothing that they write."""
    topic = await broker.topic()
    await broker.append(topic, None, b"x")
    assert await broker.commit("zombies", topic, 1)
    assert not await broker.commit("zombies", topic, 0, overtaken=True)
    assert await broker.committed("zombies", topic) == 1
    await broker.append(topic, None, b"a zombie's")
    assert [record.value for record in await broker.read(topic)] == [b"x", b"a zombie's"]


async def test_reading_without_a_group_commits_nothing(broker: Broker) -> None:
    topic = await broker.topic()
    await broker.append(topic, None, b"x")
    assert len(await broker.read(topic)) == 1
    assert await broker.committed("readers", topic) is None
