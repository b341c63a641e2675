"""The measurement: one log, contestants that read it in turns, so that a slow minute is slow for all."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.topics import EVENTS
from services.cli.bench.figures import Rate, Sample, steady
from services.cli.bench.load import Load, fill
from services.cli.bench.sampling import Task
from services.cli.bench.worker import ProcessorRun
from services.identity.issuing import Mint
from services.local.child import StartError
from services.local.kafka import Kafka
from services.runtime import kafka, topics
from services.runtime.config import KafkaSettings

BARE, PROCESSOR, PER_RECORD, REPLAY = "bare consumer", "processor", "Faust per record", "replay"
WANTED = {BARE: 1 / 3, PER_RECORD: 15.0}
"""How the processor should stand beside the others."""
WINDOW_MS = 100
"""Short, so that the log has many windows and is yet written quickly."""
PAUSE_S = 0.55 * WINDOW_MS / 1000
"""Between ticks in the log: a tick sooner than half a window after the last would be ignored."""
LONGEST_S = 300.0


class ContestError(RuntimeError):
    """It could not be measured, and why."""


@dataclass
class Contest:
    """One measurement; ``say`` is told what is being done. Where nothing is ``proven``, there are no links to check."""

    workloads: int
    heartbeats: int
    rounds: int
    per_record: int
    proven: bool
    folder: Path
    say: Callable[[str], None]
    contestants: tuple[str, ...] = (BARE, PROCESSOR, PER_RECORD)

    @property
    def bundle(self) -> Path:
        """What those who verify are given to trust."""
        return self.folder / "trust.json"

    async def run(self, servers: str | None) -> dict[str, list[Rate]]:
        """Return the rates of each contestant, round by round."""
        rates: dict[str, list[Rate]] = {name: [] for name in self.contestants}
        async with self._broker(servers) as settings:
            self.say(f"writing {self.heartbeats:,} heartbeats of {self.workloads:,} workloads…")
            load = await self._load(settings)
            for number in range(self.rounds):
                for name, runs in rates.items():
                    self.say(f"round {number + 1} of {self.rounds}: {name}…")
                    samples = await self._contestant(name, settings, load)
                    try:
                        runs.append(steady(samples, load.joined))
                    except ValueError as error:
                        raise ContestError(f"{name}: {error}") from error
        return rates

    @asynccontextmanager
    async def _broker(self, servers: str | None) -> AsyncIterator[KafkaSettings]:
        if servers is not None:
            yield KafkaSettings(bootstrap_servers=servers)
            return
        broker = Kafka(self.folder / "kafka")
        try:
            yield KafkaSettings(bootstrap_servers=await broker.start())
        except StartError as error:
            raise ContestError(str(error)) from error
        finally:
            await broker.stop()

    async def _load(self, settings: KafkaSettings) -> Load:
        await topics.apply(settings)
        consumer = await kafka.reader(settings, EVENTS)
        try:
            ends = await consumer.end_offsets(consumer.assignment())
        finally:
            await consumer.stop()
        if any(ends.values()):
            raise ContestError(f"{EVENTS} at {settings.bootstrap_servers} has records: measure on an empty Kafka")
        mint = Mint(self.folder / "mint")
        mint.write_bundle(self.bundle)
        return await fill(settings, self.workloads, self.heartbeats, PAUSE_S, mint if self.proven else None)

    async def _contestant(self, name: str, settings: KafkaSettings, load: Load) -> list[Sample]:
        if name == PROCESSOR:
            return await ProcessorRun(settings, load, WINDOW_MS, self.bundle).samples(LONGEST_S)
        if name == BARE:
            return await self._peer("bare", settings, load.records)
        if name == REPLAY:
            return await self._peer("refolding", settings, load.records)
        return await self._peer("per_record", settings, min(self.per_record, load.records))

    async def _peer(self, module: str, settings: KafkaSettings, records: int) -> list[Sample]:
        """Run one of the others as a process of its own and return what it printed."""
        task = Task(settings.bootstrap_servers, records, str(self.bundle))
        peer = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"services.cli.bench.{module}",
            task.line(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(peer.communicate(), LONGEST_S)
        except TimeoutError:
            raise ContestError(f"{module} did not read {records} records in {LONGEST_S:.0f} s") from None
        finally:
            if peer.returncode is None:
                peer.kill()
        if peer.returncode:
            raise ContestError(f"{module} failed:\n{err.decode()[-2000:]}")
        return [Sample(*json.loads(line)) for line in out.splitlines() if line.startswith(b"[")]
