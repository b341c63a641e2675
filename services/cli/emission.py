"""``muster replay --emit TOPIC``: outcomes of a replay written to a topic again, if that is meant.

Replay itself never writes. What does is here, behind a question, and behind a fence of revisions: the topic is read
first, only newer states are written, and what others wrote meanwhile is put back where ours overtook it.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaProducer

from schemas.message import rfc3339
from schemas.topics import WORKLOADS, definitions
from services.cli.asking import agreed, signed
from services.cli.options import EXIT_USAGE
from services.cli.printing import faults_told
from services.replay.cluster import Live, opened
from services.replay.emitting import Fate, Fence, Headers, Outcome, Outcomes, Provenance
from services.replay.recording import RecordingError
from services.replay.refold import Happening, Refold
from services.replay.selection import Selection
from services.replay.source import Source
from services.runtime.config import KafkaSettings
from services.runtime.kafka import answered, close, producer, read_to_end
from services.runtime.topics import existing

OURS = {one.name for one in definitions()} - {WORKLOADS}
"""Topics in which a state of a workload has no place."""

LISTED = 20
"""So many workloads are named before it is asked."""

EmitTo = Annotated[
    str | None,
    typer.Option("--emit", metavar="TOPIC", help="Write the newest state shown of each workload there; asks first."),
]
EmitWhy = Annotated[str | None, typer.Option("--why", metavar="WORDS", help="Why it is emitted; goes with it.")]


@dataclass
class Emission:
    """What is to be written, whereto, and by whom; without a topic, nothing is."""

    topic: str | None = None
    who: str = ""
    why: str = ""
    outcomes: Outcomes = field(default_factory=Outcomes)
    _found: Source | None = None
    _ranges: dict[int, tuple[int, int]] = field(default_factory=dict)
    _to_its_end: bool = False

    def take(self, happening: Happening) -> None:
        """Take what the replay shows."""
        if self.topic is not None:
            self.outcomes.take(happening)

    def replayed(self, found: Source, refold: Refold, *, to_its_end: bool) -> None:
        """Take note of what was replayed, and whether to the present end of the log."""
        self._found = found
        self._ranges = {number: (one.first, one.roll.position) for number, one in refold.standings.items()}
        self._to_its_end = to_its_end

    def finish(self, kafka: KafkaSettings, code: int, *, yes: bool) -> None:
        """Write it, unless the replay ended with another exit code than 0; ends the command where it may not be."""
        if self.topic is None:
            return
        if code != 0 or self._found is None:
            typer.echo(f"nothing was emitted: the replay ended with {code}", err=True)
            return
        if not self.outcomes.found:
            typer.echo("nothing was emitted: no outcome is shown that is certain", err=True)
            return
        with faults_told():
            asyncio.run(self._emit(kafka, self.topic, self._found, yes=yes))

    async def _emit(self, kafka: KafkaSettings, topic: str, found: Source, *, yes: bool) -> None:
        if not await existing(kafka, [topic]):
            typer.echo(f"Error: --emit {topic}: there is no such topic at {kafka.bootstrap_servers}", err=True)
            raise typer.Exit(EXIT_USAGE)
        async with opened(kafka, topic, Selection()) as live:
            self._check(found, live)
            fence = Fence()
            async for chunk in read_to_end(live.consumer):
                for record in chunk:
                    fence.take(record.key, record.value, record.headers)
            whole = topic != WORKLOADS or self._to_its_end
            chosen, fates = fence.passed(self.outcomes.found, whole=whole)
            agreed(self._plan(kafka, found, chosen, fates), yes=yes)
            if chosen:
                await self._write(kafka, found, live, fence, chosen)

    def _check(self, found: Source, live: Live) -> None:
        """Refuse what would be wrong in the target. Raises ``RecordingError``."""
        if found.header is not None and found.header.redacted is not None:
            raise RecordingError("the recording is redacted: its states are not those of the workloads")
        if found.partitions != live.partitions:
            raise RecordingError(
                f"the log has {found.partitions or 'an unknown number of'} partitions, {live.topic} {live.partitions}: "
                "a workload's records are in the same partition everywhere"
            )
        if live.topic == WORKLOADS and found.cluster != live.cluster:
            raise RecordingError(
                f"it is of cluster {found.cluster}, {WORKLOADS} of {live.cluster}: revisions of two logs cannot be "
                "compared; emit it to a topic of its own"
            )

    def _plan(
        self, kafka: KafkaSettings, found: Source, chosen: dict[bytes, Outcome], fates: Counter[Fate]
    ) -> list[str]:
        lines = [f"To {self.topic} at {kafka.bootstrap_servers}, from {found.name}, by {self.who}: {self.why}"]
        lines += [
            f"  {key.decode(errors='replace')} at revision {one.partition}:{one.revision}"
            for key, one in list(chosen.items())[:LISTED]
        ]
        if len(chosen) > LISTED:
            lines.append(f"  and {len(chosen) - LISTED} more")
        lines.append(f"{len(chosen)} states to emit")
        lines += [f"{fates[fate]} not emitted: {fate}" for fate in Fate if fate is not Fate.EMITTED and fates[fate]]
        if self.outcomes.uncertain:
            lines.append(f"{self.outcomes.uncertain} transitions passed over: they are not certain")
        return lines

    async def _write(
        self, kafka: KafkaSettings, found: Source, live: Live, fence: Fence, chosen: dict[bytes, Outcome]
    ) -> None:
        told = Provenance(
            source=found.name,
            cluster=found.cluster or "unknown",
            ranges=self._ranges,
            who=self.who,
            why=self.why,
            at=rfc3339(datetime.now(UTC)),
            version=version("muster"),
        )
        fence.watch()
        pen = await producer(kafka)
        try:
            for key, outcome in chosen.items():
                await _send(pen, live.topic, key, outcome, told.headers(outcome))
            typer.echo(f"{len(chosen)} states emitted to {live.topic}", err=True)
            async for chunk in read_to_end(live.consumer):
                for record in chunk:
                    fence.take(record.key, record.value, record.headers)
            for key, value in fence.overtaken.items():
                await _send(pen, live.topic, key, Outcome(chosen[key].partition, 0, value), [])
            if fence.overtaken:
                typer.echo(
                    f"{len(fence.overtaken)} newer states, written meanwhile, were put back behind them", err=True
                )
        finally:
            await close(pen)


async def _send(pen: AIOKafkaProducer, topic: str, key: bytes, outcome: Outcome, headers: Headers) -> None:
    told: dict[str, Any] = {"partition": outcome.partition, "headers": headers}

    async def send() -> object:
        return await pen.send_and_wait(topic, outcome.value, key, **told)

    await answered(send, what=f"writing to {topic}")


def emission_of(topic: str | None, who: str | None, why: str | None) -> Emission:
    """Return what the options ask for, or end the command with exit code 2."""
    if topic is None:
        return Emission()
    if topic in OURS:
        raise typer.BadParameter(f"--emit {topic}: states of workloads have no place in it")
    if why is None:
        raise typer.BadParameter("--emit needs --why: it goes with what is emitted")
    return Emission(topic, *signed(who, why))
