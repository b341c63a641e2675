"""Reading topics whole, and ``muster status`` over them, on a real Kafka."""

import asyncio
import json
import sys

import pytest
from aiokafka import ConsumerRecord

from schemas.topics import REGISTRATIONS, REJECTED, WORKLOADS
from schemas.workloads import Presence, Workload
from services.runtime.config import KafkaSettings
from services.runtime.kafka import partition_count, producer, read_to_end, reader
from services.runtime.topics import apply
from tests.unit.schemas.messages import WORKLOAD

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("restored_logs")]


@pytest.fixture
async def settings(kafka: str) -> KafkaSettings:
    settings = KafkaSettings(bootstrap_servers=kafka)
    await apply(settings, partitions=2)
    return settings


async def _write(settings: KafkaSettings, topic: str, *values: bytes) -> None:
    writer = await producer(settings)
    try:
        for value in values:
            await writer.send_and_wait(topic, value, key=b"key", partition=0)
    finally:
        await writer.stop()


async def _values(settings: KafkaSettings, topic: str, **options: object) -> list[bytes | None]:
    consumer = await reader(settings, topic, **options)  # type: ignore[arg-type]
    try:
        records: list[ConsumerRecord] = [one async for chunk in read_to_end(consumer) for one in chunk]
    finally:
        await consumer.stop()
    return [record.value for record in records]


async def test_an_empty_topic_is_read_to_its_end(settings: KafkaSettings) -> None:
    assert await partition_count(settings, REJECTED) == 1
    assert await _values(settings, REJECTED) == []


async def test_a_topic_is_read_to_its_end_past_the_markers_of_transactions(settings: KafkaSettings) -> None:
    """The last offset holds an abort marker, which is no record: who waits for a record there waits forever."""
    writer = await producer(settings, transactional_id="test")
    try:
        async with writer.transaction():
            await writer.send_and_wait(REJECTED, b"kept", partition=0)
        await writer.begin_transaction()
        await writer.send_and_wait(REJECTED, b"taken back", partition=0)
        await writer.abort_transaction()
    finally:
        await writer.stop()
    assert await _values(settings, REJECTED, isolation_level="read_committed") == [b"kept"]


async def test_a_reader_from_the_end_reads_what_comes_after_it(settings: KafkaSettings) -> None:
    consumer = await reader(settings, REJECTED, start="end")
    try:
        await _write(settings, REJECTED, b"later")
        assert [one.value async for chunk in read_to_end(consumer) for one in chunk] == [b"later"]
    finally:
        await consumer.stop()


async def test_a_reader_of_some_partitions_reads_only_these(settings: KafkaSettings) -> None:
    await _write(settings, REGISTRATIONS, b"an answer")
    assert len(await _values(settings, REGISTRATIONS, partitions=[0])) == 1
    assert await _values(settings, REGISTRATIONS, partitions=[1]) == []


async def test_a_reader_waits_for_a_broker_that_comes_late(settings: KafkaSettings) -> None:
    """A way to the broker opens only after the reader was refused at least once."""
    host, _, port = settings.bootstrap_servers.partition(":")
    gate = asyncio.Event()

    async def relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        if not gate.is_set():
            gate.set()
            sink.close()
            return
        far_source, far_sink = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(source, far_sink), _pump(far_source, sink))

    async with await asyncio.start_server(relay, "127.0.0.1") as server:
        late = KafkaSettings(bootstrap_servers=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert await asyncio.wait_for(partition_count(late, REJECTED), 60) == 1
        assert gate.is_set()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    sink.close()


async def test_status_prints_the_newest_state_and_watch_goes_on_with_changes(settings: KafkaSettings) -> None:
    states = [WORKLOAD, *_later(Presence.ABSENT, Presence.CONNECTED)]
    writer = await producer(settings)
    key = WORKLOAD.workload.key.to_bytes()
    for state in states[:2]:
        await writer.send_and_wait(WORKLOADS, state.to_json(), key=key)
    status = [sys.executable, "-c", "from services.cli.main import main; main()", "status"]
    servers = ["--bootstrap-servers", settings.bootstrap_servers]
    once = await asyncio.create_subprocess_exec(*status, "-o", "json", *servers, stdout=asyncio.subprocess.PIPE)
    assert [state["presence"] for state in json.loads((await once.communicate())[0])] == ["absent"]

    watching = await asyncio.create_subprocess_exec(*status, "--watch", *servers, stdout=asyncio.subprocess.PIPE)
    try:
        assert watching.stdout is not None
        head = (await watching.stdout.readline()).decode()
        assert head.split("   ")[0] == "NAMESPACE"
        assert (await watching.stdout.readline()).decode().split()[2] == "False"
        await writer.send_and_wait(WORKLOADS, states[2].to_json(), key=key)
        line = (await asyncio.wait_for(watching.stdout.readline(), 30)).decode()
        assert line.split()[:3] == ["bookinfo", WORKLOAD.workload.key.war_name, "True"]
    finally:
        watching.kill()
        await watching.communicate()
        await writer.stop()


def _later(*presences: Presence) -> list[Workload]:
    return [
        WORKLOAD.model_copy(update={"presence": presence, "revision": WORKLOAD.revision + number})
        for number, presence in enumerate(presences, 1)
    ]
