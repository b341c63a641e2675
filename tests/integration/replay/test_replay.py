"""A replay of a real log says what the processor said, and leaves the cluster as it was."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete

from schemas.topics import EVENTS, WORKLOADS
from services.replay.chunks import Chunk, Gap, Why
from services.replay.frames import pack
from services.replay.recorder import Order, record, resume
from services.replay.recording import RecordingError
from services.replay.redaction import Redactor
from services.replay.selection import Selection
from services.replay.source import source
from services.runtime.kafka import reader
from tests.integration.evidence import newest, workloads
from tests.integration.processor.house import MUSTER, RULES, House
from tests.support.proofs import bundle_file

FLEET = 60
EVERYTHING = Order(topics=(EVENTS,), selection=Selection())
BUNDLE = f"--bundle={bundle_file()}"
BY_RULES = [
    *(f"--set=rules.{name}={getattr(RULES, name)}" for name in ("window_ms", "missed_windows", "grace_windows")),
    BUNDLE,
]


async def muster(house: House, *words: str) -> tuple[int, str, str]:
    """Run the command line; return its exit code, stdout and stderr."""
    argv = [sys.executable, *MUSTER, *words, f"--bootstrap-servers={house.settings.bootstrap_servers}"]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(child.communicate(), 60)
    return child.returncode or 0, out.decode(), err.decode()


async def everything_on(house: House) -> dict[str, Any]:
    """Return topics with their configuration and extents, and groups with their offsets."""
    admin = AIOKafkaAdminClient(**house.settings.client_args())
    await admin.start()
    try:
        names = sorted(await admin.list_topics())
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, None) for name in names]
        configs = {
            found[3]: sorted((entry[0], entry[1]) for entry in found[4])
            for answer in await admin.describe_configs(resources)
            for found in answer.resources
        }
        groups = sorted(group[0] for group in await admin.list_consumer_groups())
        committed = {group: await admin.list_consumer_group_offsets(group) for group in groups}
        extents = {}
        for name in names:
            if name.startswith("__"):
                continue
            consumer = await reader(house.settings, name)
            places = sorted(consumer.assignment())
            extents[name] = [await consumer.beginning_offsets(places), await consumer.end_offsets(places)]
            await consumer.stop()
        # What is committed is written here: its end shows a commit even where nobody knows the group any more.
        return {"configs": configs, "committed": committed, "extents": extents, "group log": await _group_log(house)}
    finally:
        await admin.close()


async def _group_log(house: House) -> dict[TopicPartition, int]:
    consumer = await reader(house.settings, "__consumer_offsets", exclude_internal_topics=False)
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(sorted(consumer.assignment()))
        return ends
    finally:
        await consumer.stop()


async def a_night(house: House) -> dict[int, int]:
    """Let two workers call the roll of a fleet, the first of which is killed; return how far each partition went."""
    ends = await house.tell(house.members(FLEET))
    dying = house.worker(("die", 700))
    await dying.ended(60)
    await house.drain_after(ends)
    return {
        partition: max(row.revision for row in rows.values()) + 1 for partition, rows in (await house.rows()).items()
    }


async def test_a_replay_equals_what_the_processor_wrote_and_changes_nothing(house: House, tmp_path: Path) -> None:
    """From the live topic, from a recording and from stdin alike."""
    folded = await a_night(house)
    before = await everything_on(house)
    end = ",".join(f"{partition}:{offset}" for partition, offset in folded.items())
    tape = str(tmp_path / "night.jsonl.zst")
    code, live, err = await muster(house, "replay", "-o", "json", "--to", end, *BY_RULES)
    assert code == 0, err
    code, _, err = await muster(house, "record", tape, "--to", end, *BY_RULES)
    assert code == 0, err
    code, recorded, err = await muster(house, "replay", tape, "-o", "json")
    assert code == 0, err
    assert recorded == live
    assert (await muster(house, "events", "cat", "-o", "raw"))[0] == 0
    assert (await muster(house, "events", "tail", "--last", "3", "-c", "2"))[0] == 0
    assert await everything_on(house) == before

    code, _, err = await muster(house, "replay", tape, "--compare", "topic")
    assert code == 0, err
    assert f"compared with muster.workloads: {FLEET} of {FLEET} workloads agree\n" in err
    assert await everything_on(house) == before

    happenings = [json.loads(line) for line in live.splitlines()]
    assert happenings[-1]["type"] == "summary"
    assert happenings[-1]["certain"]
    told = workloads(await house.records(WORKLOADS))
    replayed = {one["key"]: one["state"] for one in happenings if one["type"] == "transition"}
    expected = {key.decode(): json.loads(state.to_json()) for key, state in newest(told).items()}
    assert len(expected) == FLEET
    assert replayed == expected
    again = {(one["key"], one["offset"]) for one in happenings if one["type"] == "transition"}
    assert {(key.decode(), state.revision) for key, state in told} <= again


async def test_a_live_state_that_is_another_is_shown_field_by_field(house: House) -> None:
    """Somebody wrote into the processor's topic."""
    await a_night(house)
    told = newest(workloads(await house.records(WORKLOADS)))
    key, state = min(told.items())
    forged = state.model_copy(update={"session": "00000000-0000-0000-0000-00000000dead"})
    await house.producer.send_and_wait(WORKLOADS, forged.to_json(), key=key, partition=state.partition)
    for nothing in (["-n", "nobody"], ["--from", "99999999"]):
        code, _, err = await muster(house, "replay", *nothing, "--fail-on", "removal", *BY_RULES)
        assert code == 1
        assert "nothing in the range or selection; the log spans 20" in err
    assert (await muster(house, "replay", "-p", "99", *BY_RULES))[0] == 2
    assert (await muster(house, "events", "tail", "-p", "99"))[0] == 2
    code, _, err = await muster(house, "replay", "--compare", "topic", *BY_RULES)
    assert code == 1
    assert f"{FLEET - 1} of {FLEET} workloads agree; 1 different" in err
    differs = next(line for line in err.splitlines() if "FAILED" in line)
    assert differs.startswith(f"FAILED muster.workloads: {key.decode()}: different by the ")
    place = f"({state.partition}:{state.revision})"
    assert differs.endswith(f"{place}: session: replayed '{state.session}', live '{forged.session}'")


async def test_what_retention_took_is_told_and_nothing_is_certain(house: House) -> None:
    ends = await house.tell(house.members(FLEET), range(6))
    admin = AIOKafkaAdminClient(**house.settings.client_args())
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(EVENTS, 0): RecordsToDelete(before_offset=ends[0] // 2)})
    finally:
        await admin.close()
    async with source(None, house.settings, EVENTS, Selection()) as found:
        items = [item async for item in found.items()]
    assert [item for item in items if isinstance(item, Gap)] == [Gap(EVENTS, 0, 0, ends[0] // 2, Why.RETENTION)]
    code, _, err = await muster(house, "replay", "--fail-on", "uncertain", *BY_RULES)
    assert code == 1
    assert f"offsets 0 to {ends[0] // 2 - 1} were deleted by retention" in err


async def test_markers_of_transactions_are_no_lost_records(house: House) -> None:
    fenced = AIOKafkaProducer(**house.settings.client_args(), transactional_id="somebody-else")
    await fenced.start()
    homes = house.members(4)
    try:
        for window in range(3):
            async with fenced.transaction():
                await fenced.send(EVENTS, b"kept", key=b"nobody", partition=0)
            await house.tell(homes, range(window, window + 1))
        async with fenced.transaction():
            await fenced.send(EVENTS, b"kept", key=b"nobody", partition=0)
    finally:
        await fenced.stop()
    async with source(None, house.settings, EVENTS, Selection()) as found:
        items = [item async for item in found.items()]
    gaps = [item for item in items if isinstance(item, Gap)]
    assert len(gaps) == 4
    assert {gap.why for gap in gaps} == {Why.MARKERS}
    offsets = [one.offset for item in items if isinstance(item, Chunk) and item.partition == 0 for one in item.records]
    assert offsets == sorted({*range(gaps[-1].end)} - {gap.start for gap in gaps})


async def test_an_interrupted_recording_goes_on_to_be_the_whole(house: House, tmp_path: Path) -> None:
    homes = house.members(FLEET)
    await house.tell(homes, range(4))
    whole, part = tmp_path / "whole", tmp_path / "part"
    await record(whole, house.settings, EVERYTHING, asyncio.Event(), lambda *_: None)
    stopping = asyncio.Event()
    trailer = await record(part, house.settings, EVERYTHING, stopping, lambda *_: stopping.set())
    assert not trailer.complete
    await house.tell(homes, range(4, 5))
    ended = await resume(part, house.settings, EVERYTHING, asyncio.Event(), lambda *_: None)
    assert ended is not None
    assert ended.complete
    assert await _records(house, part) == await _records(house, whole)
    assert await resume(part, house.settings, EVERYTHING, asyncio.Event(), lambda *_: None) is None
    part.write_bytes(whole.read_bytes()[:-40])
    assert await resume(part, house.settings, EVERYTHING, asyncio.Event(), lambda *_: None) == ended
    assert await _records(house, part) == await _records(house, whole)


async def _records(house: House, path: Path) -> list[tuple[int, object]]:
    async with source(path, house.settings, EVENTS, Selection()) as found:
        items = [item async for item in found.items()]
    return [(item.partition, one) for item in items if isinstance(item, Chunk) for one in item.records]


async def test_a_recording_of_another_cluster_or_key_is_not_resumed(house: House, tmp_path: Path) -> None:
    await house.tell(house.members(4), range(1))
    path = tmp_path / "tape"
    stopping = asyncio.Event()
    await record(path, house.settings, EVERYTHING, stopping, lambda *_: stopping.set())
    before = path.read_bytes()
    redacted = Order(topics=(EVENTS,), selection=Selection(), redactor=Redactor(b"k"))
    with pytest.raises(RecordingError, match="not redacted"):
        await resume(path, house.settings, redacted, asyncio.Event(), lambda *_: None)
    async with source(path, house.settings, EVENTS, Selection()) as found:
        assert found.header is not None
        foreign = found.header.model_copy(update={"cluster": "another"})
    other = tmp_path / "other"
    other.write_bytes(pack(foreign.to_json() + b"\n"))
    with pytest.raises(RecordingError, match="of cluster another"):
        await resume(other, house.settings, EVERYTHING, asyncio.Event(), lambda *_: None)
    assert path.read_bytes() == before
    golden = Path(__file__).parents[2] / "golden" / "first-night.jsonl.zst"
    code, _, err = await muster(house, "replay", str(golden), "--compare", "topic")
    assert code == 1
    assert "it is of cluster golden, but" in err
