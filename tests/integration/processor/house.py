"""Workers of the processor as child processes on a real Kafka, and what can be seen of them from outside."""

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families

from schemas.rejected import Rejected
from schemas.topics import EVENTS, PRESENCE_CHANGELOG, PROCESSOR_APP, REJECTED, WORKLOADS, definitions
from schemas.workloads import Workload
from services.local.child import Child
from services.local.ports import free
from services.processor.changelog import Changelog, revision_of
from services.processor.core.record import Record
from services.processor.core.roll import Roll
from services.processor.core.rows import PartitionRow, WorkloadRow, decode, partition_key
from services.processor.core.rules import Rules
from services.runtime.config import KafkaSettings
from services.runtime.kafka import read_to_end, reader
from tests.integration.evidence import facts, final_against_oracle, newest, workloads
from tests.integration.processor.story import Entry, Member, home, tell, write
from tests.support.eventually import eventually
from tests.support.oracle import OracleRules, Verdicts, oracle
from tests.support.proofs import bundle_file, prove, trust

RULES = Rules(window_ms=200, missed_windows=3, grace_windows=5)
ORACLE = OracleRules(window_ms=200, missed_windows=3, grace_windows=5)
PAUSE_S = 0.6 * RULES.window_ms / 1000
MUSTER = ("-c", "from services.cli.main import main; main()")
ENDED = {0, 1, 137}
"""Statuses of workers that ended as a test wanted it."""
WITH_MISHAP = Path(__file__).parent / "worker.py"


class House:
    """A Kafka with workers; all of them end with it."""

    def __init__(self, bootstrap_servers: str, folder: Path, partitions: int) -> None:
        self.settings = KafkaSettings(bootstrap_servers=bootstrap_servers)
        self.folder = folder
        self.partitions = partitions
        self.hurry = folder / "hurry"
        """Once it exists, a worker that dawdles does so no more."""
        self.producer = AIOKafkaProducer(**self.settings.client_args(), acks="all", enable_idempotence=True)
        self.workers: list[Child] = []
        self.ports: dict[str, int] = {}

    # -- the log -----------------------------------------------------------------------------------------------------

    def members(self, count: int, first: int = 0) -> dict[int, list[Member]]:
        """Return workloads by the partition they belong to."""
        homes: dict[int, list[Member]] = {number: [] for number in range(self.partitions)}
        for number in range(first, first + count):
            member = Member(number)
            homes[home(member.key, self.partitions)].append(member)
        return homes

    async def tell(
        self, homes: Mapping[int, list[Member]], windows: range = range(20), beats: int = 3
    ) -> dict[int, int]:
        """Write the story of the workloads window by window; return the offset of each partition's last tick."""
        ends: dict[int, int] = {}
        for window in windows:
            await asyncio.sleep(PAUSE_S)  # a tick sooner than half a window after the last would be ignored
            for partition, members in homes.items():
                ends[partition] = await tell(self.producer, partition, members, window, beats)
        return ends

    async def write(self, partition: int, entries: Iterable[Entry]) -> int:
        """Append to one partition of the log; return the offset of the last record."""
        return await write(self.producer, partition, entries)

    async def configure(self, topic: str, config: dict[str, str]) -> None:
        """Change settings of a topic that Muster has no opinion of."""
        ours = next(definition.config for definition in definitions() if definition.name == topic)
        admin = AIOKafkaAdminClient(**self.settings.client_args())
        await admin.start()
        try:
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {**ours, **config})])
        finally:
            await admin.close()

    # -- workers -----------------------------------------------------------------------------------------------------

    def worker(self, mishap: tuple[str, int] | None = None, **assigned: object) -> Child:
        """Start a worker; ``mishap`` is what worker.py lets happen after how many records."""
        name = f"{len(self.workers):02}-worker"
        self.ports[name] = free()
        told: dict[str, object] = {
            "http.port": self.ports[name],
            "rules.window_ms": RULES.window_ms,
            "rules.missed_windows": RULES.missed_windows,
            "rules.grace_windows": RULES.grace_windows,
            "group.session_timeout_seconds": 6,
            "group.heartbeat_seconds": 0.5,
            "group.commit_seconds": 0.05,
            "trust.bundle": bundle_file(),
            **{key.replace("__", "."): value for key, value in assigned.items()},
        }
        program = [str(WITH_MISHAP), mishap[0], str(mishap[1])] if mishap else list(MUSTER)
        options = [f"--set={key}={value}" for key, value in told.items()]
        servers = f"--bootstrap-servers={self.settings.bootstrap_servers}"
        argv = [sys.executable, *program, "processor", servers, "--log-format=json", *options]
        child = Child(name, argv, self.folder / f"{name}.log", {"HURRY": str(self.hurry)})
        child.start()
        self.workers.append(child)
        return child

    async def close(self) -> None:
        """Kill what still runs."""
        for child in self.workers:
            if child.running:
                await child.kill()
        await self.producer.stop()

    async def drain_after(self, ends: Mapping[int, int]) -> None:
        """Let a new worker call the roll up to the given offsets and at least once itself, and drain it."""
        before = {partition: self.revision(rows, partition) + 1 for partition, rows in (await self.rows()).items()}
        worker = self.worker()
        await self.rolled({partition: max(end, before[partition]) for partition, end in ends.items()})
        await self.drain(worker)

    async def page(self, child: Child, path: str) -> tuple[int, str]:
        """Return status and text of one of a worker's pages; status 0 where nobody listens."""
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{self.ports[child.name]}/{path}") as answer,
            ):
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def metric(self, child: Child, name: str) -> float:
        """Return the sum over one of a worker's metrics; 0 where there is none."""
        _status, text = await self.page(child, "metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        )

    async def ready(self, child: Child) -> None:
        """Wait until a worker says that it is ready."""

        async def says_so() -> bool:
            assert child.running, f"{child.name} ended with {child.status}:\n{child.tail()}"
            return (await self.page(child, "readyz"))[0] == 200

        await eventually(says_so, f"{child.name} to be ready", within_s=60)

    async def trusting(self, child: Child) -> None:
        """Wait until a worker is ready and every partition names a bundle: who speaks before that is not verified."""
        await self.ready(child)

        async def so() -> bool:
            log = await self.records(EVENTS)
            return all(any(b'"trusted"' in (one.value or b"") for one in found) for found in log.values())

        await eventually(so, "a bundle to be named in every partition", within_s=60, every_s=0.2)

    async def drain(self, child: Child) -> None:
        """End a worker with SIGTERM; it has to end in order."""
        assert child.running, f"{child.name} ended with {child.status}:\n{child.tail()}"
        status = await child.stop()
        assert status == 0, f"{child.name} ended with {status}:\n{child.tail()}"

    # -- what is there -----------------------------------------------------------------------------------------------

    async def records(self, topic: str) -> dict[int, list[Any]]:
        """Return a topic as it is now, whole, by partition."""
        consumer = await reader(self.settings, topic)
        found: dict[int, list[Any]] = {place.partition: [] for place in consumer.assignment()}
        try:
            async for chunk in read_to_end(consumer):
                found[chunk[0].partition].extend(chunk)
        finally:
            await consumer.stop()
        return found

    async def rows(self) -> dict[int, dict[bytes, WorkloadRow | PartitionRow]]:
        """Return the presence table as a new owner would read it, by partition."""
        table: dict[int, dict[bytes, WorkloadRow | PartitionRow]] = {}
        for partition, records in (await self.records(PRESENCE_CHANGELOG)).items():
            changelog = Changelog()
            for record in records:
                where = f"{partition}/{record.offset}"
                changelog.apply(record.offset, record.key, record.value, revision_of(list(record.headers), where))
            table[partition] = {key: decode(key, raw) for key, raw in changelog.rows()}
        return table

    async def ticks(self) -> dict[int, list[PartitionRow]]:
        """Return every row ever stored of each partition itself, in the order of the changelog."""
        found: dict[int, list[PartitionRow]] = {}
        for partition, records in (await self.records(PRESENCE_CHANGELOG)).items():
            own = [decode(r.key, r.value) for r in records if r.key == partition_key(partition)]
            found[partition] = [row for row in own if isinstance(row, PartitionRow)]
        return found

    async def letters(self) -> list[Rejected]:
        """Return all dead letters."""
        return [
            Rejected.model_validate_json(r.value) for found in (await self.records(REJECTED)).values() for r in found
        ]

    async def committed(self) -> dict[int, int]:
        """Return the offset from which a new owner of each partition would read; no entry: from the beginning."""
        admin = AIOKafkaAdminClient(**self.settings.client_args())
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(PROCESSOR_APP)
        finally:
            await admin.close()
        return {place.partition: found.offset for place, found in offsets.items() if place.topic == EVENTS}

    async def shares(self) -> list[int]:
        """Return how many partitions of ``muster.events`` each worker has, as Kafka sees it."""
        admin = AIOKafkaAdminClient(**self.settings.client_args())
        await admin.start()
        try:
            answers = await admin.describe_consumer_groups([PROCESSOR_APP])
        except KafkaError:  # nobody coordinates a group that nobody joined yet
            return []
        finally:
            await admin.close()
        _code, _group, state, _kind, _protocol, members, *_ = answers[0].groups[0]
        if state != "Stable":
            return []
        assigned = [ConsumerProtocol.ASSIGNMENT.decode(member[4]).partitions() for member in members]
        return sorted(sum(place.topic == EVENTS for place in places) for places in assigned)

    async def shared(self, *wanted: int) -> None:
        """Wait until the workers share the partitions like this."""

        async def so() -> bool:
            return await self.shares() == sorted(wanted)

        await eventually(so, f"workers with {wanted} partitions", within_s=60, every_s=0.2)

    async def rolled(self, ends: Mapping[int, int], within_s: float = 60) -> None:
        """Wait until each partition has the row of a tick at or after the given offset."""

        async def so() -> bool:
            for worker in self.workers:
                assert worker.running or worker.status in ENDED, f"{worker.status}: {worker.tail()}"
            reached = {partition: self.revision(rows, partition) for partition, rows in (await self.rows()).items()}
            return all(reached[partition] >= end for partition, end in ends.items())

        await eventually(so, f"the roll to be called up to {dict(ends)}", within_s=within_s, every_s=0.2)

    @staticmethod
    def revision(rows: Mapping[bytes, WorkloadRow | PartitionRow], partition: int) -> int:
        """Return the offset of the tick that a partition's row tells of; -1: there is none."""
        row = rows.get(partition_key(partition))
        return row.revision if row is not None else -1

    async def disagreements(self) -> list[str]:
        """Compare table and output with offline folds of the log, by the core and by the oracle; none: all equal.

        For workers that drained. What was appended after the last record folded is left out: nobody folded it. A state
        that was overtaken before a crash let it be told may be missing, but never the newest, and none may be untrue.
        """
        table = await self.rows()
        log = await self.records(EVENTS)
        told = workloads(await self.records(WORKLOADS))
        folded = {
            partition: max((row.revision for row in rows.values()), default=-1) for partition, rows in table.items()
        }
        known = {partition: [r for r in log[partition] if r.offset <= folded[partition]] for partition in log}
        verdicts = self.judged(known)
        found = _untrue(told, verdicts) + final_against_oracle(newest(told), verdicts)
        for partition, records in known.items():
            found += _differences(partition, table[partition], self._offline(partition, records))
        return found

    def _offline(self, partition: int, records: Sequence[Any]) -> dict[bytes, WorkloadRow | PartitionRow]:
        roll = Roll(partition, RULES, lambda key: home(key, self.partitions) == partition, trust())
        for record in records:
            roll.fold(Record(record.offset, record.timestamp, record.key, record.value))
        return {**roll.rows, partition_key(partition): roll.state}

    def judged(self, log: Mapping[int, Sequence[Any]]) -> Verdicts:
        """Return what the oracle says of a log."""
        return oracle(log, ORACLE, self.partitions, prove)


def _untrue(told: Sequence[tuple[bytes, Workload]], verdicts: Verdicts) -> list[str]:
    judge = {(t.key, t.offset): t.state for t in verdicts.transitions}
    return [
        f"{key.decode()} at {state.revision}: told {facts(state)}, the oracle says {judge.get((key, state.revision))}"
        for key, state in told
        if facts(state) != judge.get((key, state.revision))
    ]


def _differences(
    partition: int,
    table: Mapping[bytes, WorkloadRow | PartitionRow],
    folded: Mapping[bytes, WorkloadRow | PartitionRow],
) -> list[str]:
    return [
        f"partition {partition}, row {key.decode()}: stored {table.get(key)}, folded {folded.get(key)}"
        for key in sorted(table.keys() | folded.keys())
        if table.get(key) != folded.get(key)
    ]
