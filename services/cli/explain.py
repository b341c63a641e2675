"""``muster explain``: the story of one workload, read from the topics by assignment; nothing on the cluster changes."""

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import NamedTuple

import typer

from schemas.codec import decode_workload
from schemas.message import instant, rfc3339
from schemas.names import WorkloadKey, parse_key
from schemas.topics import ACTIONS, EVENTS, WORKLOADS
from schemas.workloads import Workload
from services.agent.clients import place
from services.cli.actions import actions
from services.cli.answers import Answer
from services.cli.colour import painted
from services.cli.naming import AmbiguousWorkloadError, Asked, NoSuchWorkloadError, chosen
from services.cli.options import EXIT_USAGE, EXIT_WRONG
from services.cli.printing import EXIT_INTERRUPTED
from services.cli.shelves import Shelf, shelf_of
from services.cli.story_json import document
from services.cli.telling import Told, lines
from services.identity.core.bundle import TrustBundle
from services.processor.core.record import Appended
from services.processor.core.roll import Roll
from services.processor.settings import ProcessorSettings
from services.replay.core.agreement import disagreement
from services.replay.core.chapters import Story
from services.replay.core.story import Teller
from services.replay.emitting import provenance
from services.replay.moments import Written, milliseconds, written
from services.replay.recording import RecordingError
from services.replay.source import StoppedError, unless_stopped, until

EXIT_DISAGREES = 3
"""The story contradicts what the processor wrote."""
_LATE = 2
"""So many windows after the last record of a living log it still tells of the present: ticks come once in each."""


class Question(NamedTuple):
    """What was asked, and of which log: a recording, or the cluster."""

    asked: Asked
    at: str | None
    """The time of which is asked, as it was written."""
    file: Path | None = None
    bundles: tuple[TrustBundle, ...] = ()


async def explain(settings: ProcessorSettings, question: Question, stopping: asyncio.Event, *, as_json: bool) -> int:
    """Print the story of the workload asked for; return the exit code.

    1 where there is none, 2 where it is not clear whose, 3 where it cannot be trusted, 130 where it is of a part.
    Raises ``RecordingError``, OSError, and ``StoppedError`` where nothing was read yet.
    """
    async with AsyncExitStack() as stack:
        shelf = await unless_stopped(stack.enter_async_context(shelf_of(question.file, settings)), stopping)
        return await _explained(shelf, question, stopping, as_json=as_json)


async def _explained(shelf: Shelf, question: Question, stopping: asyncio.Event, *, as_json: bool) -> int:
    when = _when(shelf, question)
    known = _Known(question.asked)
    topics = await unless_stopped(shelf.topics(), stopping)
    for topic in (name for name in topics if name != ACTIONS):
        await known.read(shelf, topic, stopping)
    if stopping.is_set():
        typer.echo("interrupted before it was known whose story it is", err=True)
        raise StoppedError
    try:
        key = chosen(question.asked, known.keys).to_bytes()
    except (NoSuchWorkloadError, AmbiguousWorkloadError) as error:
        typer.echo(str(error), err=True)
        return EXIT_USAGE if isinstance(error, AmbiguousWorkloadError) else EXIT_WRONG
    story = await _story(shelf, key, question, when, stopping)
    states = known.states.setdefault(key, {})
    fault = disagreement(story, states.values())
    if fault is not None and question.file is None:
        # What the processor decided while the log was read is in the topic by now.
        await known.read(shelf, WORKLOADS, stopping)
        fault = disagreement(story, states.values())
    did, untold = await actions(shelf, topics, story)
    newest = states[max(states)] if states else None
    answers = (*did, *known.answers.get(key, ()))
    told = Told(story, answers, when.end if when is not None else None, newest, fault, untold)._replace(
        recorded=question.file is not None
    )
    if stopping.is_set():
        reached = instant(story.reached.timestamp) if story.reached is not None else None
        told = told._replace(until=reached, disagreement=None, interrupted=True)
    return _shown(told, shelf, as_json=as_json)


def _shown(told: Told, shelf: Shelf, *, as_json: bool) -> int:
    if as_json:
        typer.echo(json.dumps(document(told), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(painted(lines(told)))
    for note in shelf.notes:
        typer.echo(note, err=True)
    if told.interrupted:
        return EXIT_INTERRUPTED
    if told.disagreement is not None:
        return EXIT_DISAGREES
    return EXIT_WRONG if told.story.why is None else 0


def _when(shelf: Shelf, question: Question) -> Written | None:
    """Return the time that is asked of, no later than the log reaches. Raises ``RecordingError`` where it is later."""
    if question.at is None:
        return None
    reach = shelf.reach()
    when = written(question.at, reach)
    if when.begin > reach.last:
        live = f"it is {rfc3339(reach.last)} now" if question.file is None else f"it ends at {rfc3339(reach.last)}"
        raise RecordingError(f"--at {question.at} is {rfc3339(when.begin)}, of which the log does not tell yet: {live}")
    return when._replace(end=min(when.end, reach.last))


class _Known:
    """Every workload's key, and of those that may be meant what the compacted topics say."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self.keys: set[WorkloadKey] = set()
        self.states: dict[bytes, dict[int, Workload]] = {}
        """By revision: as many as the topic still has."""
        self.answers: dict[bytes, list[Answer]] = {}

    async def read(self, shelf: Shelf, topic: str, stopping: asyncio.Event) -> None:
        """Take all records of a topic."""
        async with aclosing(shelf.records(topic)) as chunks, aclosing(until(chunks, stopping)) as coming:
            async for chunk in coming:
                self.take(topic, chunk)

    def take(self, topic: str, chunk: Sequence[Appended]) -> None:
        """Take records of ``muster.workloads``, or of a topic that tells what sink and people did."""
        for record in chunk:
            key = parse_key(record.key or b"")
            if key is None or record.key is None:
                continue
            self.keys.add(key)
            if not self._asked.means(key) or topic == EVENTS:
                continue
            headers = list(getattr(record, "headers", ()))
            if topic != WORKLOADS or provenance(headers):
                answer = Answer(record.offset, record.timestamp, record.value, topic, headers)
                self.answers.setdefault(record.key, []).append(answer)
            if topic == WORKLOADS:
                self._state(record.key, record.value)

    def _state(self, key: bytes, value: bytes | None) -> None:
        state = decode_workload(value) if value is not None else None
        if isinstance(state, Workload):
            self.states.setdefault(key, {})[state.revision] = state


async def _story(shelf: Shelf, key: bytes, question: Question, when: Written | None, stopping: asyncio.Event) -> Story:
    """Fold the workload's partition of the log, as far as is asked for. Raises ``RecordingError`` where it ends before.

    A recording ends where it ends; a living log is silent for a window at most, or has no processor.
    """
    count = await unless_stopped(shelf.partitions(), stopping)
    home = place(key, count)
    roll = Roll(home, shelf.rules(), lambda other: place(other, count) == home, shelf.trust(question.bundles))
    teller, there = Teller(key, roll, milliseconds(when.end) if when is not None else None), True
    async with aclosing(shelf.records(EVENTS, home)) as chunks, aclosing(until(chunks, stopping)) as coming:
        async for chunk in coming:
            if not all(teller.take(record) for record in chunk):
                there = False
                break
    story = teller.story()
    if when is None or not there or question.file is not None or stopping.is_set() or story.reached is None:
        return story
    if milliseconds(when.begin) > story.reached.timestamp + _LATE * roll.rules.window_ms:
        last = rfc3339(instant(story.reached.timestamp))
        raise RecordingError(
            f"--at {question.at} is {rfc3339(when.begin)}, but the last record of partition {home} is of {last}: what "
            "was since, nobody recorded; is a processor running?"
        )
    return story
