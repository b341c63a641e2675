"""What the log comes to, read as it grows: the oracle's fold of the events, and what the processor told.

Its weight-bearing rule: a verdict is judged by the truth about the agents, never by another part of Muster.
"""

from collections import Counter
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer

from schemas import topics
from schemas.names import CONTROL_KEY
from schemas.workloads import Presence, Reason, Workload
from services.runtime.config import KafkaSettings
from services.runtime.kafka import close, read_to_end, reader
from tests.chaos.truth import Truth
from tests.integration import evidence
from tests.integration.processes import RULES
from tests.integration.world import Seen
from tests.support.oracle import Oracle, Prove, State, Verdicts, Vouch


class Mark(NamedTuple):
    """How far the log was at some moment."""

    events: int
    decided: frozenset[tuple[bytes, int]]
    """Workload and revision of everything the oracle or the processor had decided."""


class Decided(NamedTuple):
    """A state that a workload came into, whoever says so."""

    key: bytes
    revision: int
    presence: Presence
    reason: Reason
    at_ms: int

    def __str__(self) -> str:
        return f"{self.key.decode()} at {self.revision}: called {self.presence.value}, falsely"


class Judged(NamedTuple):
    """What was decided between a mark and now."""

    events: int
    verdicts: dict[str, int]
    false_absents: list[str]
    false_removals: list[str]


class Account:
    """Follows ``muster.events`` and ``muster.workloads`` from their beginning, through every outage."""

    def __init__(self, events: AIOKafkaConsumer, workloads: AIOKafkaConsumer, prove: Prove, vouch: Vouch) -> None:
        self._readers = (events, workloads)
        partitions = [place.partition for place in events.assignment()]
        self._oracle = Oracle(partitions, RULES, len(partitions), prove, vouch)
        self.events = 0
        """Events of agents; what the processor appends is none."""
        self.told: list[tuple[bytes, Workload]] = []

    @classmethod
    async def open(cls, settings: KafkaSettings, prove: Prove, vouch: Vouch) -> "Account":
        """Return an account of the topics, which are there; ``prove`` and ``vouch`` are as the oracle takes them."""
        return cls(await reader(settings, topics.EVENTS), await reader(settings, topics.WORKLOADS), prove, vouch)

    async def close(self) -> None:
        """Read no more."""
        for consumer in self._readers:
            await close(consumer)

    async def catch_up(self) -> Verdicts:
        """Read both topics to their end, what was told first; return what the oracle says."""
        events, workloads = self._readers
        async for chunk in read_to_end(workloads):
            seen = [Seen(r.offset, r.timestamp, r.key, r.value) for r in chunk]
            self.told += evidence.workloads({chunk[0].partition: seen})
        async for chunk in read_to_end(events):
            self._oracle.fold(chunk[0].partition, chunk)
            self.events += sum(record.key != CONTROL_KEY for record in chunk)
        return self._oracle.verdicts()

    async def mark(self) -> Mark:
        """Return how far the log is now."""
        decided = self._decided(await self.catch_up())
        return Mark(self.events, frozenset((one.key, one.revision) for one in decided))

    async def judge(
        self,
        mark: Mark,
        truth: Truth,
        doubtful: AbstractSet[bytes] = frozenset(),
        elsewhere: AbstractSet[bytes] = frozenset(),
    ) -> Judged:
        """Judge what the oracle and the processor decided since a mark.

        Of the ``doubtful`` nobody may say that they are absent: they fell silent all together. Who is judged
        ``elsewhere`` is only counted.
        """
        fresh = [one for one in self._decided(await self.catch_up()) if (one.key, one.revision) not in mark.decided]
        judged = [one for one in fresh if one.key not in elsewhere]
        absents = [
            str(one)
            for one in judged
            if one.reason is Reason.MISSED_WINDOWS
            and (one.key in doubtful or wrongly_absent(truth, one.key, one.at_ms))
        ]
        removals = [
            str(one)
            for one in judged
            if one.presence is Presence.REMOVED and wrongly_removed(truth, one.key, one.at_ms)
        ]
        counted = Counter(one.presence.value for one in fresh)
        return Judged(self.events - mark.events, dict(sorted(counted.items())), absents, removals)

    def _decided(self, verdicts: Verdicts) -> list[Decided]:
        states = [(t.key, judged_by(t.state)) for t in verdicts.transitions if t.state is not None]
        states += [(key, judged_by(evidence.facts(state))) for key, state in self.told]
        return sorted({Decided(key, *rest) for key, rest in states})


def judged_by(state: State) -> tuple[int, Presence, Reason, int]:
    """Return what a verdict is judged by."""
    return state.revision, state.presence, state.reason, state.since_ms


def wrongly_absent(truth: Truth, key: bytes, at_ms: float) -> bool:
    """Whether somebody called absent could be heard for a whole window of those it is said to have missed."""
    return truth.heard(key, at_ms - RULES.missed_windows * RULES.window_ms, at_ms, RULES.window_ms)


def wrongly_removed(truth: Truth, key: bytes, at_ms: float) -> bool:
    """Whether somebody removed could be heard for a whole window of its grace."""
    return truth.heard(key, at_ms - RULES.grace_windows * RULES.window_ms, at_ms, RULES.window_ms)
