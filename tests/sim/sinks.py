"""The sink of the world: the real state, plans and reconciler over a Kubernetes that is watched, fails and forgets."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple, TypeVar

from schemas.message import instant
from schemas.removals import Removal
from schemas.topics import REGISTRATIONS, WORKLOADS
from services.sink.core.actions import Answered
from services.sink.core.fleet import Limits
from services.sink.core.objects import Manifest
from services.sink.ports import ClusterError, Exactly, GoneError, Kind, Listed, Seen, UnavailableError
from services.sink.reconciler import Pace, Reconciler, Telling
from services.sink.state import State
from tests.sim.log import Log, NotAnsweredError, Task, at_once, turn
from tests.sim.processors import QUIET
from tests.support.cluster import MemoryCluster, bookmark

T = TypeVar("T")

RETRY_AFTER_S = 1.0
BOOKMARK_MS = 1_000


class Written(NamedTuple):
    """One write, for those who judge the world: no compaction takes it away."""

    at_ms: int
    kind: Kind
    seen: Seen
    by_user: bool


class Kubernetes(MemoryCluster):
    """The contract-tested fake, whose history can be read without waiting for it."""

    def __init__(self, *namespaces: str, now: Callable[[], int] = lambda: 0, **how: Any) -> None:  # noqa: ANN401
        """``now`` is the time that is written down of each write, in milliseconds."""
        self.now = now
        self.journal: list[Written] = []
        """Every write, and what was collected by it."""
        self._user = False
        super().__init__(*namespaces, **how)

    @contextmanager
    def by_user(self) -> Iterator[None]:
        """Write down that a user writes."""
        self._user = True
        yield
        self._user = False

    def _tell(self, kind: Kind, event: Any, item: Manifest) -> None:  # noqa: ANN401 - as it is overridden
        super()._tell(kind, event, item)
        self.journal.append(Written(self.now(), kind, self._history[-1][2], self._user))

    def changes(self, kind: Kind, since: int) -> list[tuple[int, Seen]]:
        """Return what a watch from this version would have yielded by now; GoneError where it is too old."""
        if since < self._compacted:
            raise GoneError(f"too old resource version: {since}")
        found = []
        for version, of, seen in reversed(self._history):
            if version <= since:
                break
            if of is kind:
                found.append((version, seen))
        return found[::-1]


class Line:
    """The way to Kubernetes: the world goes on before and after each call, and any of them may fail."""

    def __init__(self, cluster: Kubernetes, rng: Random) -> None:
        self.cluster, self.rng = cluster, rng
        self.down = False
        self.flaky = self.busy = 0.0
        self.held: Callable[[], bool] = lambda: False
        """Whether a deletion that was begun stands still: its process does."""

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        await turn()
        if self.down or self.rng.random() < self.flaky:
            raise UnavailableError("connection refused")
        if self.busy and self.rng.random() < self.busy:
            raise UnavailableError("429: too many requests", RETRY_AFTER_S)
        done = await call()
        await turn()
        if self.down or self.rng.random() < self.flaky:
            raise UnavailableError("the connection was lost; it may have been done")
        return done

    async def list(self, kind: Kind) -> Listed:
        return await self._call(lambda: self.cluster.list(kind))

    async def watch(self, kind: Kind, resource_version: str) -> AsyncIterator[Seen]:
        """Yield what ``changes`` tells, for ever: for the contract, the world's sink asks when it has the time."""
        version = int(resource_version)
        while True:
            for at, seen in self.cluster.changes(kind, version):
                version = at
                yield seen
            if version != self.cluster._version:
                version = self.cluster._version
                yield bookmark(version)
            await turn()

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        return await self._call(lambda: self.cluster.create(kind, manifest))

    async def update(self, kind: Kind, manifest: Manifest, *, status: bool = False) -> Manifest:
        return await self._call(lambda: self.cluster.update(kind, manifest, status=status))

    async def delete(self, kind: Kind, which: Exactly) -> None:
        while self.held():
            await turn()
        await self._call(lambda: self.cluster.delete(kind, which))


LIMITS = Limits(respite=timedelta(seconds=1))
"""Of the doubt about the fleet: as ever, but for a world that lives less than a minute."""


def _untold(_key: bytes, _written: object) -> None:
    """Nobody of this world hears what a sink did: nothing acts on it."""


class _AtOnce(Pace):
    """Removals wait for nobody: the rate is not what is simulated."""

    def __init__(self) -> None:
        super().__init__(1)

    def turn(self, key: bytes) -> float:  # noqa: ARG002
        return 0.0


class Sink:
    """One process: readers of topics, watches of four kinds, two hands."""

    def __init__(self, log: Log, line: Line, rng: Random) -> None:
        self.log, self.line, self.rng = log, line, rng
        self.cut = self.paused = self.lagging = False
        self.awake_ms = self.doze_ms = 0
        """It stands still until then; and it will for so long in the middle of its next deletion."""
        self.alive = False
        self.turns = 0
        """How often it began to doubt the observer of all, or believed it again."""
        line.held = self._dozes
        self.start()

    def start(self) -> None:
        """Start a process that knows nothing: it reads both topics before it decides anything."""
        self.alive = True
        self.state = State(LIMITS)
        telling = Telling(self._publish, self._keep, _untold)
        self.reconciler = Reconciler(self.line, self.state, telling, lambda: instant(self.log.now()), _AtOnce())
        self.reconciler._log = QUIET
        self.due: dict[bytes, int] = {}
        self.failures: dict[bytes, int] = {}
        self.hands: dict[bytes, Task] = {}
        self.versions: dict[Kind, int | None] = dict.fromkeys(Kind)
        self.read = dict.fromkeys(range(self.log.count), 0)
        self.caught_up = self.settled = False

    def crash(self) -> None:
        if self.alive:
            self.alive = False
            for task in self.hands.values():
                task.work.close()

    async def _publish(self, key: bytes, answer: Answered | None) -> None:
        while True:
            await turn()
            if not self.log.up or self.cut:
                continue
            try:
                self.log.append(REGISTRATIONS, self.log.of(key), key, answer.to_json() if answer is not None else None)
            except NotAnsweredError:
                continue  # written, and tried again all the same
            break
        await turn()

    async def _keep(self, _key: bytes, _removal: Removal) -> None:
        """Wait until the broker could take it: nobody of this world undoes anything."""
        await turn()
        while not self.log.answers or self.cut:
            await turn()

    def _dozes(self) -> bool:
        """Fall asleep where that is due; return whether it sleeps."""
        if self.doze_ms:
            self.awake_ms, self.doze_ms = self.log.now() + self.doze_ms, 0
        return self.log.now() < self.awake_ms

    def wake(self) -> None:
        """Go on now, and fall asleep no more."""
        self.awake_ms = self.doze_ms = 0

    def step(self) -> None:
        if not self.alive or self.paused or self.log.now() < self.awake_ms:
            return
        if self.log.answers and not self.cut:
            self._follow_log()
        for kind in Kind:
            self._follow(kind)
        if self.caught_up and all(version is not None for version in self.versions.values()):
            if not self.settled:
                self.state.fleet.settle(self.state.was_silent)
                self.settled = True
            self._weigh()
            self._work()

    def _follow_log(self) -> None:
        if not self.caught_up:
            for partition in self.read:
                for record in self.log.read(REGISTRATIONS, partition, 0):
                    assert self.state.take_answer(record.key or b"", record.value) is None
        for partition, start in self.read.items():
            for record in self.log.read(WORKLOADS, partition, start):
                assert self.state.take_workload(record.key or b"", record.value) is None
                self.read[partition] = record.offset + 1
                self._concern({record.key or b""})
        self.caught_up = True

    def _follow(self, kind: Kind) -> None:
        """List, or take what the watch has; a lagging watch stands still, and then may find itself too late."""
        if self.line.down:
            self.versions[kind] = self.versions[kind] if self.rng.random() < 0.5 else None
            return
        if self.lagging or self.rng.random() < 0.3:
            return
        version = self.versions[kind]
        try:
            if version is None:
                found = at_once(self.line.list(kind))
                self.versions[kind] = int(found.resource_version)
                self._concern(self.state.replace(kind, found.items, found.resource_version))
                if kind is Kind.WAR:
                    self._concern(self.state.keys_known())
                return
            changes = self.line.cluster.changes(kind, version)
            if not changes and self.log.now() % BOOKMARK_MS == 0:
                self.versions[kind] = self.line.cluster._version
            for at, seen in changes:
                self.versions[kind] = at
                take = self.state.drop if seen.type == "DELETED" else self.state.put
                self._concern(take(kind, seen.object))
        except ClusterError:
            self.versions[kind] = None

    def _concern(self, keys: set[bytes]) -> None:
        for key in keys:
            self.due[key] = self.log.now()

    def _weigh(self) -> None:
        if self.state.fleet.judge(instant(self.log.now())):
            self.turns += 1
            self.due |= dict.fromkeys(self.state.fleet.silent, self.log.now())

    def _work(self) -> None:
        ready = sorted(key for key, at in self.due.items() if at <= self.log.now() and key not in self.hands)
        for key in ready[: 2 - len(self.hands)]:
            del self.due[key]
            self.hands[key] = Task(self.reconciler.reconcile(key))
        for key, task in list(self.hands.items()):
            try:
                ended, _ = task.advance(self.rng.randint(1, 8))
                if ended:
                    del self.hands[key]
                    self.failures.pop(key, None)
            except ClusterError as error:
                del self.hands[key]
                failures = self.failures[key] = self.failures.get(key, 0) + 1
                asked = (error.after_s or 0) if isinstance(error, UnavailableError) else 0
                again = self.log.now() + max(min(100 * 2**failures, 1600), int(asked * 1000))
                self.due[key] = min(self.due.get(key, again), again)
