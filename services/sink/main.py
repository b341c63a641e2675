"""The sink as a program: catches up, follows Kafka and Kubernetes, reconciles, and drains on SIGTERM."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from services.runtime import topics
from services.runtime.config import ConfigError
from services.runtime.health import Health
from services.sink import kube, metrics
from services.sink.budget import Budget, Budgeted
from services.sink.letters import letters
from services.sink.notices import Notices
from services.sink.ports import Cluster, ClusterError, InvalidError, Kind, UnavailableError
from services.sink.queue import WorkQueue
from services.sink.reconciler import Pace, Reconciler, Telling
from services.sink.records import Records
from services.sink.refusals import Refusals
from services.sink.settings import SinkSettings
from services.sink.state import State
from services.sink.trace import Trace
from services.sink.watches import Watch

OBSERVE_S = 1.0
TELL_S = 5.0
"""So long a sink that ends waits for what it did to be told, seconds."""
PART = 0.1
"""So much of the write budget may be spent on showing refusals."""
UNUSABLE = 2
"""Exit status where the configuration cannot be used."""


class Sink:
    """Everything wired; ``run`` keeps it going."""

    def __init__(self, settings: SinkSettings, cluster: Cluster, health: Health) -> None:
        self.settings = settings
        self.health = health
        self.state = State(settings.fleet.limits())
        self.queue = WorkQueue()
        self.records = Records(settings.kafka, self.state, health)
        self.watches = [Watch(cluster, kind, self.state, self.concern) for kind in Kind]
        pace = Pace(settings.removals_per_second)
        self.trace = Trace(self.records.trace)
        telling = Telling(self.records.publish, self.records.keep, self.trace.tell)
        self.reconciler = Reconciler(cluster, self.state, telling, lambda: datetime.now(UTC), pace)
        self.refusals = Refusals(
            cluster, self.state, self.records.tell, self.trace.tell, settings.attempts, lambda: datetime.now(UTC)
        )
        self._log = structlog.get_logger()

    def concern(self, keys: Iterable[bytes]) -> None:
        """Have the workloads of these keys looked at, and see what all of them together say of their observer."""
        for key in keys:
            self.queue.add(key)
        self._weigh()

    def _weigh(self) -> None:
        """Doubt the observer of the fleet, or believe it again; whom that concerns is looked at."""
        fleet = self.state.fleet
        if fleet.judge(datetime.now(UTC)):
            told = {"silent": len(fleet.silent), "there": len(fleet.here)}
            if fleet.holding:
                words = "so many are silent that their observer is doubted: nothing is taken from them"
                self._log.warning(words, **told, release="muster override release-removals")
            else:
                self._log.info("what is said of the silent is believed again", **told)
            metrics.DOUBTED.set(fleet.holding)
            for key in fleet.silent:
                self.queue.add(key)

    async def run(self, stopping: asyncio.Event) -> None:
        """Catch up, then go on until told to stop; what is being reconciled then is finished."""
        self.health.set("caught up", ok=False, why="reading the topics")
        starting = asyncio.create_task(self._start())
        await _first(stopping, starting)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self.records.close()
            return
        following = starting.result()
        self.health.set("caught up", ok=True)
        workers = [asyncio.create_task(self._work(stopping)) for _ in range(self.settings.workers)]
        following.append(asyncio.create_task(self.records.follow(self.concern)))
        following.append(asyncio.create_task(self._resync()))
        following.append(asyncio.create_task(self._hear()))
        following.append(asyncio.create_task(self.refusals.keep(self.settings.writes_per_second * PART)))
        telling = asyncio.create_task(self.trace.keep())
        await _first(stopping, telling, *following, *workers)
        for task in following:
            task.cancel()
        # A worker that waits for work has nothing to finish.
        await asyncio.wait(workers, timeout=self.settings.drain_seconds)
        for task in workers:
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.trace.told(), TELL_S)
        telling.cancel()
        await self.records.close()

    async def _start(self) -> list[asyncio.Task[None]]:
        """Read the topics to their end and list Kubernetes, before anything is decided."""
        await topics.required(self.settings.kafka, self.health)
        await self.records.catch_up()
        following = [asyncio.create_task(watch.follow(self.health)) for watch in self.watches]
        await asyncio.gather(*(watch.listed.wait() for watch in self.watches))
        self.state.fleet.settle(self.state.was_silent)
        self.concern(self.state.keys_known())
        self.refusals.adopt(self.state.keys_known())
        return following

    async def _hear(self) -> None:
        """Read what the processor would not have: also what it rejected while nobody listened."""
        since = datetime.now(UTC) - self.refusals.retention
        async for chunk in letters(self.settings.kafka, self.health, since):
            self.concern(await self.refusals.hear(chunk))

    async def _work(self, stopping: asyncio.Event) -> None:
        """Reconcile one workload after the other."""
        while not stopping.is_set():
            getting = asyncio.create_task(self.queue.get())
            await _first(stopping, getting)
            if not getting.done():
                getting.cancel()
                return
            await self._reconcile(getting.result())

    async def _reconcile(self, key: bytes) -> None:
        try:
            turn = await self.reconciler.reconcile(key)
        except InvalidError as error:
            # The agent was told; nothing but a change of the workload, its group or the resync makes it valid.
            self.queue.done(key)
            metrics.RETRIES.labels(type(error).__name__).inc()
            self._log.warning("Kubernetes refuses the object", key=key.decode(), why=str(error))
            self.refusals.look(key)
        except ClusterError as error:
            after = error.after_s if isinstance(error, UnavailableError) else None
            delay = self.queue.retry(key, after)
            metrics.RETRIES.labels(type(error).__name__).inc()
            self._log.warning("trying again", key=key.decode(), why=str(error), next_in_s=round(delay, 1))
        else:
            self.queue.done(key, turn)
            self.refusals.look(key)

    async def _resync(self) -> None:
        """Look at everything now and then, and keep the gauges up to date."""
        due = asyncio.get_running_loop().time() + self.settings.resync_seconds
        notices = Notices(self.state)
        while True:
            await asyncio.sleep(OBSERVE_S)
            metrics.QUEUE.set(len(self.queue))
            metrics.SILENT.set(len(self.state.fleet.silent))
            self._weigh()
            notices.look()
            if asyncio.get_running_loop().time() >= due:
                due += self.settings.resync_seconds
                self.concern(self.state.keys_known())


async def _first(stopping: asyncio.Event, *tasks: "asyncio.Task[object]") -> None:
    """Return when told to stop or when one of the tasks ends; what it raised is raised."""
    stop = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    for task in done - {stop}:
        task.result()


async def run(settings: SinkSettings, stopping: asyncio.Event) -> None:
    """Run the sink until ``stopping`` is set; exit status 2 where no Kubernetes is configured."""
    async with Health("sink", settings.http) as health:
        try:
            api = await kube.connect(settings.kubeconfig, settings.context)
        except ConfigError as fault:
            structlog.get_logger().error("this sink cannot be run as it is configured", reason=str(fault))
            raise SystemExit(UNUSABLE) from None
        try:
            budget = Budget(settings.writes_per_second, settings.write_burst)
            cluster = Budgeted(kube.Kubernetes(api, settings.watch_seconds), budget)
            await Sink(settings, cluster, health).run(stopping)
        finally:
            await api.close()
