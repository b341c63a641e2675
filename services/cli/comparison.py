"""``muster replay --compare``: the replayed states beside those of the topic, and of Kubernetes.

What is live is read before the fold, so that each state can be held against the replayed one of its own revision.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import typer

from schemas.codec import Rejection, decode_answer, decode_workload
from schemas.registrations import Answer
from schemas.topics import REGISTRATIONS, WORKLOADS
from schemas.workloads import Workload
from services.cli.progress import Meter
from services.processor.core.record import Appended, Record
from services.replay.causes import Causes
from services.replay.chunks import Gap, Item
from services.replay.cluster import opened
from services.replay.comparing import Found, Kind, Newest, View, Witness, agreement, compare, topic_view
from services.replay.labels import Labels
from services.replay.recording import RecordingError
from services.replay.refold import Happening, Refold, Transition
from services.replay.registrations import registration_view, registrations
from services.replay.selection import Filter, Selection
from services.runtime.config import KafkaSettings


class Against(StrEnum):
    """What the replay is compared with."""

    LIVE = "live"
    TOPIC = "topic"
    KUBE = "kube"


class Compared(NamedTuple):
    """What to compare with, and of which workloads."""

    against: Against
    chosen: Filter
    labels: Labels
    kubeconfig: Path | None = None
    context: str | None = None


class Comparison:
    """What is live, as it was before the fold, and what the fold says of it."""

    def __init__(self, views: tuple[View, ...], labels: dict[bytes, dict[str, str]], asked: Compared) -> None:
        self._views = views
        self._labels = labels
        self._asked = asked
        self._witness = Witness(views)
        self._causes = Causes(views)

    def look(self, item: Item) -> None:
        """Take what is read."""
        self._causes.look(item)

    def take(self, happening: Happening, item: Item) -> None:
        """Take what the replay comes to, and what it was read with."""
        self._witness.take(happening)
        if isinstance(happening, Transition):
            self._causes.take(happening, item)

    def knows(self, refold: Refold) -> bool:
        """Whether there is anybody to compare."""
        states = refold.states()
        keys = states.keys() | {key for view in self._views for key in view.states}
        return any(self._chosen(key, states.get(key)) for key in keys)

    def told(self, refold: Refold) -> list[str]:
        """Print how the states agree; return what is different, in words."""
        states = refold.states()
        wrong: list[str] = []
        every: dict[str, Counter[Kind]] = {}
        for view in self._views:
            counts = every.setdefault(view.name, Counter())
            for found in compare(refold, self._witness, view):
                if not self._chosen(found.key, states.get(found.key)):
                    continue
                counts[found.kind] += 1
                lines = list(self._lines(view.name, found))
                if found.kind is Kind.DIFFERENT:
                    wrong += lines
                elif lines:
                    typer.echo("\n".join(lines), err=True)
        typer.echo(agreement(every), err=True)
        return wrong

    def _lines(self, name: str, found: Found) -> Iterator[str]:
        if found.kind is not Kind.AGREES:
            by = self._causes.words(found.key, found.place)
            for words in found.words or ("the same, at an earlier record",):
                yield f"{name}: {found.key.decode(errors='replace')}: {found.kind} by {by}: {words}"

    def _chosen(self, key: bytes, state: Workload | None) -> bool:
        partition = state.partition if state is not None else -1
        if not self._asked.chosen.takes(partition, Record(0, 0, key, None)):
            return False
        reported = state.workload.registration.workload.labels if state is not None else {}
        return self._asked.labels.match({**reported, **self._labels.get(key, {})})


async def comparison(asked: Compared, cluster: str | None, settings: KafkaSettings) -> Comparison:
    """Read what is live. Raises ``RecordingError`` where what is replayed is of another cluster."""
    views: list[View] = []
    labels: dict[bytes, dict[str, str]] = {}
    if asked.against is not Against.TOPIC:
        from services.cli.wars import listed

        found = registrations(await listed(asked.kubeconfig, asked.context, asked.chosen.namespace))
        for name in found.unreadable:
            typer.echo(f"{name} is no WorkloadAutoRegistration of this Muster's: passed over", err=True)
        labels = found.labels
        views.append(registration_view(found, await _answers(cluster, settings)))
    if asked.against is not Against.KUBE:
        views.insert(0, topic_view(await _states(cluster, settings)))
    return Comparison(tuple(views), labels, asked)


async def _states(cluster: str | None, settings: KafkaSettings) -> dict[bytes, Workload]:
    newest, unreadable = Newest(), 0
    async for record in _records(WORKLOADS, cluster, settings):
        state = decode_workload(record.value) if record.value is not None else None
        if isinstance(state, Rejection) or record.key is None:
            unreadable += 1
        else:
            newest.take(record.key, state)
    if unreadable:
        typer.echo(f"{unreadable} records of {WORKLOADS} could not be read", err=True)
    return newest.states


async def _answers(cluster: str | None, settings: KafkaSettings) -> dict[bytes, Answer]:
    answers: dict[bytes, Answer] = {}
    async for record in _records(REGISTRATIONS, cluster, settings):
        answer = decode_answer(record.value) if record.value is not None else None
        if record.key is not None and answer is not None and not isinstance(answer, Rejection):
            answers[record.key] = answer
    return answers


async def _records(topic: str, cluster: str | None, settings: KafkaSettings) -> AsyncIterator[Appended]:
    """Yield what a compacted topic holds; gaps are everywhere in it: only the newest of each key is left."""
    async with opened(settings, topic, Selection()) as live:
        if cluster is not None and live.cluster != cluster:
            raise RecordingError(
                f"it is of cluster {cluster}, but {settings.bootstrap_servers} is {live.cluster}: nothing to compare"
            )
        done = 0
        with Meter(f"reading {topic}") as meter:
            async for item in live.items():
                for record in () if isinstance(item, Gap) else item.records:
                    yield record
                done += item.end - item.start if isinstance(item, Gap) else len(item.records)
                meter(done, live.total)
