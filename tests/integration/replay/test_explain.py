"""``muster explain`` on a real Kafka: one workload falls silent, comes back, and is taken over by a new session."""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.actions import Said, Verb, Written
from schemas.registrations import Registered
from schemas.resource import GroupSnapshot
from schemas.topics import ACTIONS, EVENTS, REGISTRATIONS, WORKLOADS, definitions
from services.processor.core.record import Emit
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from services.runtime.config import KafkaSettings
from services.runtime.kafka import producer, read_to_end, reader
from services.runtime.topics import apply
from tests.integration.processor.story import home, write
from tests.support.eventually import eventually
from tests.support.logs import Log, introduction, key, session

pytestmark = [pytest.mark.integration]

PARTITIONS = 2
RULES = ("--set", "rules.window_ms=50", "--set", "rules.missed_windows=3")
KEY = introduction(1).key
HOME = home(KEY.to_bytes(), PARTITIONS)
WROTE = (
    f"status of war bookinfo/{KEY.war_name}: AgentConnected False (AgentMissedWindows), resourceVersion {{}}, "
    f"of the state at {HOME}:7"
)
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass
class Done:
    """A run of the command."""

    status: int
    out: str
    err: str


@dataclass
class World:
    """A Kafka with the log of the story in it."""

    settings: KafkaSettings

    async def explain(self, *args: str, rules: Sequence[str] = RULES) -> Done:
        return await self.muster("explain", *rules, *args)

    async def muster(self, command: str, *args: str) -> Done:
        program = "from services.cli.main import main; main()"
        servers = ["--bootstrap-servers", self.settings.bootstrap_servers]
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, command, *servers, *args),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(child.communicate(), 60)
        return Done(child.returncode or 0, out.decode(), err.decode())


def _script() -> Log:
    """Return the log: absent by the tick at offset 7, back at 8, taken over at 10."""
    log = Log()
    log.resumed()
    log.connect(1, of=1)
    log.tick()
    log.heartbeat(1, of=1, seq=1)
    for _ in range(4):
        log.tick()
    log.heartbeat(1, of=1, seq=2)
    log.tick()
    log.connect(1, of=2)
    log.heartbeat(1, of=1, seq=3)
    log.tick()
    return log


async def _written(settings: KafkaSettings) -> None:
    """Write the log as its owner and its agents would, and what processor and sink would say."""
    writer = await producer(settings)
    try:
        for record in _script().records:
            if b'"tick"' in (record.value or b""):
                await asyncio.sleep(0.04)  # a tick sooner than half a window after the last would be ignored
            await write(writer, HOME, [(record.key or b"", record.value or b"")])
        await _judged(settings, writer)
        snapshot = GroupSnapshot(name="ratings", uid="u", generation=1, resource_version="7", spec={})
        for number in (1, 2):
            answer = Registered(
                session=session(number), namespace="bookinfo", name=KEY.war_name, uid="0-1-2", snapshot=snapshot
            )
            await writer.send_and_wait(REGISTRATIONS, answer.to_json(), key=KEY.to_bytes())
        for version in ("4710", "4711"):
            await writer.send_and_wait(ACTIONS, _action(version).to_json(), key=KEY.to_bytes())
    finally:
        await writer.stop()


def _action(version: str) -> Written:
    """Return what a sink says that made the WAR absent."""
    return Written(
        action=Verb.STATUS,
        kind="WorkloadAutoRegistration",
        namespace="bookinfo",
        name=KEY.war_name,
        uid="0-1-2",
        resource_version=version,
        conditions=(Said(type="AgentConnected", status="False", reason="AgentMissedWindows"),),
        partition=HOME,
        revision=7,
    )


async def _judged(settings: KafkaSettings, writer: AIOKafkaProducer) -> None:
    roll = Roll(HOME, Rules(window_ms=50, missed_windows=3))
    consumer = await reader(settings, EVENTS, [HOME])
    try:
        async for chunk in read_to_end(consumer):
            for record in chunk:
                for effect in roll.fold(record):
                    if isinstance(effect, Emit):
                        await writer.send_and_wait(WORKLOADS, effect.value, key=effect.key, partition=HOME)
    finally:
        await consumer.stop()


@pytest.fixture(scope="module")
async def world(kafka: str) -> World:
    settings = KafkaSettings(bootstrap_servers=kafka)
    await apply(settings, partitions=PARTITIONS)
    await _written(settings)
    return World(settings)


def _rows(out: str) -> list[list[str]]:
    """Return the cells of the story's table, its times aside."""
    lines = TIME.sub("", out).split("\n")
    head = next(number for number, line in enumerate(lines) if line.startswith("TIME"))
    rows = lines[head + 1 : lines.index("", head)]
    return [[cell for cell in re.split(r" {3,}", row) if cell] for row in rows]


async def test_the_story_tells_of_the_silence_the_return_and_the_takeover(world: World) -> None:
    done = await world.explain(KEY.war_name, "-n", "bookinfo")
    assert (done.status, done.err) == (0, "")
    assert _rows(done.out) == [
        ["1", "0", "connect", "session 1 begins (agent v1.0.0) → connected"],
        ["2–7", "0–4", "1 accepted", "▇▇▁▁▁"],
        ["7", "4", "tick", "missed windows 2–4: 3 of 3 → absent"],
        ["8", "5", "heartbeat", "heard of again, in the same session; it was absent → connected"],
        ["9", "5", "▇"],
        [
            *("10", "6", "connect"),
            "session 2 begins (agent v1.0.0) and takes over from session 1, which was connected → connected",
        ],
        ["11–12", "6", "▇"],
        ["11", "6", "heartbeat", "ignored by SupersededSession: session 1: a newer session took over"],
        ["registered", f"session 1 as bookinfo/{KEY.war_name}, uid 0-1-2"],
        ["registered", f"session 2 as bookinfo/{KEY.war_name}, uid 0-1-2"],
        ["written", WROTE.format("4710")],
        ["written", WROTE.format("4711")],
    ]
    assert "\x1b" not in done.out
    assert done.out.endswith("\n▇ heard   ▁ missed\n")


async def test_a_question_about_a_time_is_answered_with_the_tick_that_decided(world: World) -> None:
    """The time is that of the tick, as the whole story tells it."""
    whole = json.loads((await world.explain("/".join(KEY), "-o", "json")).out)
    [absent] = [part for part in whole["story"] if part["kind"] == "change" and part["presence"] == "absent"]
    done = await world.explain(KEY.identity, "--at", absent["time"])
    assert done.status == 0
    assert (
        f"At {absent['time']} it was absent since {absent['time']}, by the tick at offset 7 in window 4: "
        "missed windows 2–4: 3 of 3." in done.out
    )
    assert "session 2" not in done.out


async def test_other_rules_than_the_processors_are_noticed(world: World) -> None:
    done = await world.explain(KEY.war_name, rules=())
    assert done.status == 3
    assert "This story cannot be trusted: muster.workloads says absent (AgentMissedWindows) by the record" in done.out


async def test_an_unknown_name_is_an_error_with_candidates(world: World) -> None:
    done = await world.explain("ratings-aws-aws-123456789012-us-east-2b-ec2-i-00000000000000002")
    assert (done.status, done.out) == (1, "")
    assert "/".join(KEY) in done.err
    stranger = await world.explain(key(next(n for n in range(2, 99) if home(key(n), PARTITIONS) == HOME)).decode())
    assert stranger.status == 1
    assert "the log has no session of it" in stranger.out


async def test_a_time_before_the_log_cannot_be_known(world: World) -> None:
    done = await world.explain(KEY.identity, "--at", "2020-01-01T00:00")
    assert done.status == 1
    assert "no records until then; it begins at 20" in done.out


@pytest.mark.parametrize(("at", "words"), [("2099-01-01T00:00", "it is 20"), ("0s", "is a processor running?")])
async def test_of_a_time_that_the_log_did_not_reach_nothing_is_told(world: World, at: str, words: str) -> None:
    """The second one is of a log without a tick for many windows."""
    done = await world.explain(KEY.identity, "--at", at)
    assert (done.status, done.out) == (1, "")
    assert words in done.err


async def test_where_retention_took_the_start_it_says_what_cannot_be_known(world: World) -> None:
    """A workload of the other partition, whose connect is deleted as retention would."""
    who = next(number for number in range(2, 99) if home(key(number), PARTITIONS) != HOME)
    log = Log()
    log.connect(who)
    log.tick()
    log.heartbeat(who)
    log.tick()
    writer = await producer(world.settings)
    admin = AIOKafkaAdminClient(**world.settings.client_args())
    await admin.start()
    try:
        for record in log.records:
            await write(writer, 1 - HOME, [(record.key or b"", record.value or b"")])
        await admin.delete_records({TopicPartition(EVENTS, 1 - HOME): RecordsToDelete(before_offset=1)})
    finally:
        await admin.close()
        await writer.stop()
    done = await world.explain(key(who).decode())
    assert done.status == 1
    assert "It is not to be known from the log." in done.out
    assert "The log begins at offset 1, 20" in done.out
    assert "accepted or not, nobody can tell" in done.out


async def test_nothing_on_the_cluster_changes(world: World) -> None:
    before = await _cluster(world.settings)
    assert (await world.explain(KEY.war_name)).status == 0
    assert await _cluster(world.settings) == before


async def test_what_the_sink_wrote_is_told_from_a_recording_of_both_topics_too(world: World, tmp_path: Path) -> None:
    file = str(tmp_path / "night.jsonl.zst")
    recorded = await world.muster("record", file, "-t", EVENTS, "-t", ACTIONS)
    assert recorded.status == 0, recorded.err
    done = await world.explain(KEY.war_name, "--recording", file)
    assert done.status == 0, done.err
    assert [row for row in _rows(done.out) if row[0] == "written"] == [
        ["written", WROTE.format("4710")],
        ["written", WROTE.format("4711")],
    ]


async def test_where_retention_or_an_older_muster_left_no_trace_it_says_so_and_tells_the_rest(world: World) -> None:
    """The last test: the topic is gone after it."""
    admin = AIOKafkaAdminClient(**world.settings.client_args())
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(ACTIONS, HOME): RecordsToDelete(before_offset=1)})
        done = await world.explain(KEY.war_name)
        assert f"{ACTIONS}[{HOME}] begins at offset 1, 20" in done.out
        assert [row for row in _rows(done.out) if row[0] == "written"] == [["written", WROTE.format("4711")]]
        assert done.status == 0

        await admin.delete_topics([ACTIONS])
        await eventually(lambda: _without(admin, ACTIONS), "the topic to be gone")
    finally:
        await admin.close()
    done = await world.explain(KEY.war_name)
    assert (done.status, done.err) == (0, "")
    assert f"There is no {ACTIONS} here: what the sink wrote to Kubernetes is not told." in done.out
    assert ["7", "4", "tick", "missed windows 2–4: 3 of 3 → absent"] in _rows(done.out)


async def _without(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic not in await admin.list_topics()


async def _cluster(settings: KafkaSettings) -> tuple[object, ...]:
    """Return the groups, the topics and the end of every partition."""
    admin = AIOKafkaAdminClient(**settings.client_args())
    await admin.start()
    try:
        groups, topics = await admin.list_consumer_groups(), sorted(await admin.list_topics())
    finally:
        await admin.close()
    consumer = await reader(settings, EVENTS)
    try:
        counts = {topic.name: topic.partitions for topic in definitions(PARTITIONS)}
        places = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
        return groups, topics, await consumer.end_offsets(places)
    finally:
        await consumer.stop()
