"""``muster explain``: the story of one workload, read from the topics by assignment; nothing on the cluster changes."""

import json
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from schemas.codec import decode_workload
from schemas.names import WorkloadKey, parse_key
from schemas.topics import EVENTS, WORKLOADS
from schemas.workloads import Workload
from services.agent.clients import place
from services.cli.answers import Answer
from services.cli.naming import AmbiguousWorkloadError, Asked, NoSuchWorkloadError, chosen
from services.cli.options import EXIT_USAGE, EXIT_WRONG
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
from services.replay.moments import milliseconds

EXIT_DISAGREES = 3
"""The story contradicts what the processor wrote."""
_COLOURS = {r"▇|\bconnected\b": "green", r"▁|\babsent\b|\bremoved\b": "red", r"╳|○|\bunknown\b": "yellow"}


class Question(NamedTuple):
    """What was asked, and of which log: a recording, or the cluster."""

    asked: Asked
    until: datetime | None
    file: Path | None = None
    bundles: tuple[TrustBundle, ...] = ()


async def explain(settings: ProcessorSettings, question: Question, *, as_json: bool) -> None:
    """Print the story of the workload asked for, up to ``until``.

    Raises typer.Exit with 1 where there is none, 2 where it is not clear whose, 3 where it cannot be trusted.
    """
    asked, until = question.asked, question.until
    shelf = await shelf_of(question.file, settings)
    known = _Known(asked)
    for topic in await shelf.topics():
        async for chunk in shelf.records(topic):
            known.take(topic, chunk)
    try:
        key = chosen(asked, known.keys).to_bytes()
    except (NoSuchWorkloadError, AmbiguousWorkloadError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_USAGE if isinstance(error, AmbiguousWorkloadError) else EXIT_WRONG) from None
    story = await _story(shelf, key, question)
    states = known.states.setdefault(key, {})
    fault = disagreement(story, states.values())
    if fault is not None and question.file is None:
        # What the processor decided while the log was read is in the topic by now.
        async for chunk in shelf.records(WORKLOADS):
            known.take(WORKLOADS, chunk)
        fault = disagreement(story, states.values())
    told = Told(story, known.answers.get(key, ()), until, states[max(states)] if states else None, fault)
    if as_json:
        typer.echo(json.dumps(document(told), indent=2, ensure_ascii=False))
    else:
        _print(lines(told))
    for note in shelf.notes:
        typer.echo(note, err=True)
    if fault is not None:
        raise typer.Exit(EXIT_DISAGREES)
    if story.why is None:
        raise typer.Exit(EXIT_WRONG)


class _Known:
    """Every workload's key, and of those that may be meant what the compacted topics say."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self.keys: set[WorkloadKey] = set()
        self.states: dict[bytes, dict[int, Workload]] = {}
        """By revision: as many as the topic still has."""
        self.answers: dict[bytes, list[Answer]] = {}

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


async def _story(shelf: Shelf, key: bytes, question: Question) -> Story:
    """Fold the workload's partition of the log, as far as is asked for."""
    count, until = await shelf.partitions(), question.until
    home = place(key, count)
    roll = Roll(home, shelf.rules(), lambda other: place(other, count) == home, shelf.trust(question.bundles))
    teller = Teller(key, roll, milliseconds(until) if until is not None else None)
    async with aclosing(shelf.records(EVENTS, home)) as chunks:
        async for chunk in chunks:
            if not all(teller.take(record) for record in chunk):
                break
    return teller.story()


def _print(text: Sequence[str]) -> None:
    """Print lines; in colour on a terminal that did not ask for none (https://no-color.org: rich heeds NO_COLOR)."""
    console = Console(highlight=False, soft_wrap=True)
    for line in text:
        words = Text(line)
        for pattern, colour in _COLOURS.items():
            words.highlight_regex(pattern, colour)
        console.print(words)
