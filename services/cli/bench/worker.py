"""The contestant itself: ``muster processor`` as it is deployed, watched from outside through its /metrics."""

import asyncio
import sys
import time
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from schemas.topics import EVENTS, PRESENCE_CHANGELOG, PROCESSOR_APP
from services.cli.bench.figures import Sample
from services.cli.bench.load import Load
from services.local.child import Child
from services.local.ports import free
from services.runtime import topics
from services.runtime.config import KafkaSettings

RECORDS = "muster_processor_records"
CPU = "process_cpu_seconds"
EVERY_S = 0.1


class ProcessorRun:
    """One run from a state of nothing, over the whole log."""

    def __init__(self, settings: KafkaSettings, load: Load, window_ms: int, bundle: Path) -> None:
        self._settings = settings
        self._load = load
        self._port = free()
        argv = [sys.executable, "-c", "from services.cli.main import main; main()", "processor"]
        argv += [f"--bootstrap-servers={settings.bootstrap_servers}", f"--set=http.port={self._port}"]
        argv += [f"--set=rules.window_ms={window_ms}", f"--set=trust.bundle={bundle}", "--log-format=json"]
        self._child = Child("processor", argv, bundle.parent / "processor.log")

    async def samples(self, within_s: float) -> list[Sample]:
        """Run until the log is read; return how far it was when. Raises StartError where it ends early."""
        await self._forget()
        self._child.start()
        found: list[Sample] = []

        async def done() -> bool:
            sample = await self._look()
            if sample is not None and sample.records <= self._load.records:
                found.append(sample)
            if sample is None or sample.records < self._load.records:
                await asyncio.sleep(EVERY_S)
                return False
            return True

        try:
            await self._child.ready(done, within_s)
        finally:
            await self._child.stop()
        return found

    async def _forget(self) -> None:
        """Take the state of an earlier run away: the presence table, and how far the group had come."""
        admin = AIOKafkaAdminClient(**self._settings.client_args())
        await admin.start()
        try:
            await admin.delete_topics([PRESENCE_CHANGELOG])
            while PRESENCE_CHANGELOG in await admin.list_topics():  # noqa: ASYNC110 - Kafka tells nobody when
                await asyncio.sleep(EVERY_S)
        finally:
            await admin.close()
        await topics.apply(self._settings)
        consumer = AIOKafkaConsumer(**self._settings.client_args(), group_id=PROCESSOR_APP, enable_auto_commit=False)
        await consumer.start()
        try:
            places = [TopicPartition(EVENTS, number) for number in self._load.ends]
            consumer.assign(places)
            await consumer.commit(dict.fromkeys(places, 0))
        finally:
            await consumer.stop()

    async def _look(self) -> Sample | None:
        """Return what the process says of itself now; None while it says nothing."""
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{self._port}/metrics") as answer,
            ):
                text = await answer.text()
        except aiohttp.ClientError:
            return None
        at = time.perf_counter()
        sums = {RECORDS: 0.0, CPU: 0.0}
        for family in text_string_to_metric_families(text):
            if family.name in sums:
                sums[family.name] = sum(s.value for s in family.samples if s.name.endswith("_total"))
        return Sample(at, sums[CPU], int(sums[RECORDS]))
