"""What part of a log is meant: from where to where, and which records of it; values only.

A time means what it means to Kafka: of each partition, the first record that is not older. ``end`` is not included.
"""

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.names import parse_key
from services.processor.core.record import Appended

FIELDS = ("key", "namespace", "group", "workload", "session", "type", "partition")


class SelectionError(ValueError):
    """The selection cannot be understood; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range: an offset of all partitions, offsets of some, or a time in milliseconds."""

    offset: int | None = None
    places: Mapping[int, int] = field(default_factory=dict)
    time_ms: int | None = None

    def reached(self, partition: int, record: Appended) -> bool:
        """Whether a record lies at or behind this bound."""
        if self.time_ms is not None:
            return record.timestamp >= self.time_ms
        at = self.places.get(partition, self.offset)
        return at is not None and record.offset >= at


class Term(NamedTuple):
    """``name=value``, or ``name!=value``."""

    name: str
    value: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are meant, wherever they stand; all terms must hold."""

    namespace: str | None = None
    terms: tuple[Term, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether no record is left out."""
        return self.namespace is None and not self.terms

    def takes(self, partition: int, record: Appended) -> bool:
        """Whether a record is meant."""
        if self.everything:
            return True
        found = _facts(partition, record)
        if self.namespace is not None and self.namespace not in found["namespace"]:
            return False
        return all((term.value in found[term.name]) is term.wanted for term in self.terms)

    @property
    def words(self) -> str:
        """The filter as it is given on the command line."""
        terms = [f"{term.name}{'=' if term.wanted else '!='}{term.value}" for term in self.terms]
        return ",".join(([f"namespace={self.namespace}"] if self.namespace else []) + terms)


@dataclass(frozen=True, slots=True)
class Selection:
    """A range and a filter."""

    start: Bound | None = None
    end: Bound | None = None
    partitions: frozenset[int] | None = None
    filter: Filter = Filter()

    def includes(self, partition: int) -> bool:
        """Whether a partition is meant; where a bound names some, only these are."""
        return all(partition in places for places in self._named())

    def check(self, topic: str, there: Collection[int]) -> None:
        """Raise ``SelectionError`` where a partition is named that is not there: nothing would be found in it."""
        if strange := sorted({number for places in self._named() for number in places} - set(there)):
            raise SelectionError(f"there is no partition {strange[0]}: {topic} has {_span(there)} here")

    def _named(self) -> list[Collection[int]]:
        named: list[Collection[int]] = [edge.places for edge in (self.start, self.end) if edge and edge.places]
        return named if self.partitions is None else [*named, self.partitions]


class Cut:
    """Cuts a range out of one partition's records as they come: for sources that cannot be asked for a place."""

    def __init__(self, selection: Selection, partition: int) -> None:
        self._selection = selection
        self._partition = partition
        self._begun = selection.start is None
        self.ended = not selection.includes(partition)

    def takes(self, record: Appended) -> bool:
        """Whether a record lies in the range; the records must be given in their order."""
        if self.ended:
            return False
        start, end = self._selection.start, self._selection.end
        if not self._begun:
            self._begun = start is not None and start.reached(self._partition, record)
        if end is not None and end.reached(self._partition, record):
            self.ended = True
        return self._begun and not self.ended


def terms(texts: Iterable[str]) -> tuple[Term, ...]:
    """Return the terms of ``-l`` options, each ``name=value,name!=value,…``. Raises ``SelectionError``."""
    found = []
    for text in (part.strip() for one in texts for part in one.split(",") if part.strip()):
        name, sign, value = text.partition("=")
        wanted = not name.endswith("!")
        name = name.rstrip("!")
        if not sign or name not in FIELDS:
            raise SelectionError(f"-l {text}: expected NAME=VALUE or NAME!=VALUE, NAME one of {', '.join(FIELDS)}")
        found.append(Term(name, value.removeprefix("="), wanted))
    return tuple(found)


def _span(numbers: Collection[int]) -> str:
    if len(numbers) == 1:
        return f"only partition {min(numbers)}"
    listed = ", ".join(map(str, sorted(numbers))) or "none"
    return (
        f"partitions 0 to {len(numbers) - 1}"
        if numbers and sorted(numbers) == [*range(len(numbers))]
        else f"partitions {listed}"
    )


def _names(key: bytes | None) -> dict[str, set[str]]:
    text = (key or b"").decode(errors="replace")
    parsed = parse_key(key) if key is not None else None
    if parsed is None:
        return {"key": {text}, "namespace": set(), "group": set(), "workload": {text}}
    return {
        "key": {text},
        "namespace": {parsed.namespace},
        "group": {parsed.group, f"{parsed.namespace}/{parsed.group}"},
        "workload": {text, parsed.war_name, parsed.identity},
    }


def _facts(partition: int, record: Appended) -> dict[str, set[str]]:
    body: object = None
    with contextlib.suppress(ValueError, RecursionError):
        body = json.loads(record.value or b"")
    event = body if isinstance(body, dict) else {}
    return {
        **_names(record.key),
        "session": {str(event.get("session", ""))},
        "type": {str(event.get("type", ""))},
        "partition": {str(partition)},
    }
