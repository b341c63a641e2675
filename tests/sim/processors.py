"""Processors of the world: the real Ownership, rolls and pacers, a consumer group, a changelog, and commits."""

from collections.abc import Sequence
from random import Random

import structlog

from schemas.events import Resumed, Tick, Trusted
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS, PRESENCE_CHANGELOG, WORKLOADS
from services.processor.changelog import Changelog, revision_of
from services.processor.chunk import Chunk
from services.processor.core.pacer import Append, AppendResumed, AppendTick, AppendTrusted, Pacer, Seen
from services.processor.core.rules import Rules
from services.processor.ownership import Ownership
from tests.sim.log import Log, NotAnsweredError, Sender, Task, turn
from tests.sim.trust import BUNDLE, OWNER, NameTrust, signed

RULES = Rules(window_ms=1000, missed_windows=3, grace_windows=4, brake_least=2, forget_windows=1000)
SESSION_TIMEOUT_MS = 1_000
REFRESH_WINDOWS = 2
LAG_MS = 3 * REFRESH_WINDOWS * RULES.window_ms
"""What compaction waits, and in a third of which every row is told again."""


def _drop(*_: object) -> dict[str, object]:
    raise structlog.DropEvent


QUIET = structlog.wrap_logger(structlog.ReturnLogger(), processors=[_drop])


def _event(due: Append, owner: str, end: int) -> Trusted | Resumed | Tick:
    match due:
        case AppendTrusted(bundle):
            return Trusted(bundle=bundle, owner=owner, after=end)
        case AppendResumed():
            return Resumed(owner=owner, after=end)
        case AppendTick(window):
            return Tick(window=window, owner=owner)


class Group:
    """The coordinator: who owns what in which generation, and what is committed."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.generation = 0
        self.members: list[Processor] = []
        self.committed: dict[int, int] = {}

    def step(self, workers: Sequence["Processor"]) -> None:
        """Take in who is heard of, and out who is not; a change of members is a new generation."""
        if not self.log.answers:
            return
        for worker in workers:
            if worker.alive and not worker.paused and not worker.cut and not worker.deaf:
                worker.heard_ms = self.log.now()
        present = [w for w in workers if w.heard_ms + SESSION_TIMEOUT_MS > self.log.now()]
        if present != self.members or any(w.generation != self.generation and not w.deaf for w in present if w.alive):
            self.rebalance(present)

    def rebalance(self, members: "list[Processor]") -> None:
        """Begin a generation."""
        self.members = members
        self.generation += 1
        for number, worker in enumerate(members):
            share = [p for p in range(self.log.count) if (p + self.generation) % len(members) == number]
            if worker.alive and not worker.cut and not worker.deaf and not worker.paused:
                worker.assign(self.generation, share)

    def commit(self, generation: int, offsets: dict[int, int]) -> bool:
        """Take offsets of the present generation; those of an earlier one are refused, as Kafka does."""
        if generation == self.generation:
            self.committed.update(offsets)
        return generation == self.generation


class Processor:
    """One worker process."""

    def __init__(self, log: Log, group: Group, number: int, rng: Random, refresh_windows: int) -> None:
        self.log, self.group, self.number, self.rng = log, group, number, rng
        self.refresh_windows = refresh_windows
        self.cut = self.deaf = self.slow = self.behind = self.torn = False
        self.awake_ms = self.doze_ms = 0
        """It stands still until then; and it will for so long when it next has something to tell."""
        self.heard_ms = -SESSION_TIMEOUT_MS
        self.alive = False
        self.start()

    def start(self) -> None:
        """Start a process that knows nothing."""
        self.alive = True
        self.generation = -1
        self.coming: tuple[int, list[int]] | None = None
        self.sender = Sender(self.log, self.rng)
        self.torn = False
        """It dies with the next state in hand: stored, and not told."""
        self.doomed: int | None = None
        """It dies so many turns into the next chunk."""
        self.ownership = Ownership(RULES, self.log.count, self, trust=NameTrust(), refresh_windows=self.refresh_windows)
        self.ownership._log = QUIET
        self.pacers: dict[int, Pacer] = {}
        self.position: dict[int, int] = {}
        self.task: Task | None = None
        self.flushing: tuple[int, dict[int, int]] | None = None

    def crash(self) -> None:
        """Die wherever it stands; of what was sent, a part may still arrive, of each topic another."""
        if self.alive:
            if self.log.up and not self.cut:
                self.sender.flush_some_topics()
            self.alive = False
            if self.task is not None:
                self.task.work.close()

    async def post(
        self,
        topic: str,
        partition: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> None:
        await turn()
        self.sender.post(topic, partition or 0, key, value, headers)
        await turn()

    def assign(self, generation: int, partitions: list[int]) -> None:
        """Hear of a new generation: fold no more until its rows were read."""
        self.coming = (generation, partitions)
        self.generation = generation
        self.ownership.held = True

    @property
    def paused(self) -> bool:
        """Whether its process stands still."""
        return self.log.now() < self.awake_ms

    @property
    def telling(self) -> bool:
        """Whether the broker lacks a state that was handed over."""
        return any(topic == WORKLOADS and queue for (topic, _), queue in self.sender.queues.items())

    def step(self) -> None:
        if not self.alive or self.paused:
            return
        if self.doze_ms and self.telling:
            self.awake_ms, self.doze_ms = self.log.now() + self.doze_ms, 0
            return
        if self.torn and self.telling:
            self._tear()
            return
        if self._sends():
            self.sender.flush(self.rng.randint(0, 6))
        if self.task is not None and self.doomed is not None:
            self._die_at_work(self.doomed)
            return
        if self.task is not None:
            ended, _ = self.task.advance(self.rng.randint(1, 3) if self.slow else self.rng.randint(5, 60))
            self.task = None if ended else self.task
        if self.coming is not None:
            if self.task is None and self._reaches() and self.rng.random() < 0.5:
                self._take(*self.coming)
            return
        self._commit()
        if self.task is None and self._reaches() and not self.behind:
            self._fetch()
        self._tick()

    def _tear(self) -> None:
        """Die between the requests: what is for one topic arrived, what is for the other did not."""
        for (topic, _), queue in self.sender.queues.items():
            if topic == WORKLOADS:
                queue.clear()
            elif self._sends():
                self.sender.deliver(queue)
        self.sender.queues.clear()
        self.crash()

    def give_up_work(self) -> None:
        """Die now, if it was to die at work and had none."""
        if self.doomed is not None:
            self.crash()

    def _die_at_work(self, turns: int) -> None:
        """Fold a part of the chunk, commit what may be committed by then, and die: nothing need have been sent on."""
        assert self.task is not None
        ended, _ = self.task.advance(1)
        self.flushing = None
        while self.flushing is None:
            self._commit()
        if not ended:
            ended, _ = self.task.advance(turns)
        self.task = None if ended else self.task
        if not self.telling:
            return
        if self._sends():
            self.sender.flush_some_topics()
        self._commit()
        self.crash()

    def _sends(self) -> bool:
        return self.log.up and not self.cut

    def _reaches(self) -> bool:
        return self.log.answers and not self.cut

    def _take(self, generation: int, partitions: list[int]) -> None:
        rows = {}
        for partition in partitions:
            changelog = Changelog()
            for record in self.log.read(PRESENCE_CHANGELOG, partition, 0):
                assert record.key is not None
                changelog.apply(record.offset, record.key, record.value, revision_of(list(record.headers), ""))
            rows[partition] = list(changelog.rows())
        self.ownership.take(generation, rows)
        self.coming = None
        self.flushing = None
        self.pacers = {partition: Pacer(RULES.window_ms) for partition in partitions}
        self.position = {partition: self.group.committed.get(partition, 0) for partition in partitions}

    def _fetch(self) -> None:
        for partition in self.rng.sample(list(self.position), len(self.position)):
            start = self.position[partition]
            if records := self.log.read(EVENTS, partition, start, self.rng.randint(1, 40)):
                after = self.ownership.owned[partition].delivered
                self.position[partition] = records[-1].offset + 1
                self.task = Task(self.ownership.fold(Chunk(partition, self.generation, after, records)))
                return

    def _commit(self) -> None:
        if self.flushing is None:
            if self.rng.random() < 0.2:
                due = {p: settled for p in self.position if (settled := self.ownership.committable(p)) is not None}
                self.flushing = (self.sender.posted, due)
        elif self.sender.delivered >= self.flushing[0] and self._reaches():
            self.group.commit(self.generation, self.flushing[1])
            self.flushing = None

    def _tick(self) -> None:
        now = self.log.now()
        for partition, owned in self.ownership.owned.items():
            pacer = self.pacers[partition]
            roll = owned.roll
            due = pacer.due(now, Seen(roll.window, roll.position, roll.resumed, roll.named), BUNDLE)
            if due is None:
                continue
            if not self._sends():
                pacer.failed(now)
                continue
            owner = f"00000000-0000-4000-8000-{self.number:012d}"
            event = _event(due, owner, self.log.part(EVENTS, partition).end)
            offset = self._append(partition, signed(OWNER, event, partition).to_json())
            if offset is None:
                pacer.failed(now)
            else:
                pacer.appended(now, offset)

    def _append(self, partition: int, event: bytes) -> int | None:
        """Append to the log; return the offset, or None where the answer was lost."""
        try:
            offset = self.log.append(EVENTS, partition, CONTROL_KEY, event)
        except NotAnsweredError:
            return None
        return offset if self.rng.random() >= 0.02 else None
