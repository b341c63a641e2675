"""``muster processor``: one worker, from waiting for Kafka to its last commit."""

import asyncio
import os
import sys
import threading
import uuid
from functools import partial
from typing import Any, NamedTuple, NoReturn

import structlog
from aiokafka.errors import KafkaError

from schemas.topics import EVENTS
from services.identity.discovery import Discovery
from services.identity.signing import Signer, signer
from services.identity.sts import Sts
from services.identity.watching import Bundles
from services.processor.app import Worker
from services.processor.report import report
from services.processor.rolechecks import RoleChecks
from services.processor.settings import ProcessorSettings
from services.processor.ticks import Signing, Ticker
from services.runtime import shutdown, topics
from services.runtime.config import ConfigError
from services.runtime.health import Health

MARGIN_S = 1.0
"""After its time is over, a worker that cannot end is ended so much later, seconds."""
ABANDON_S = 5.0
"""How long a crashing worker may take to leave its group, seconds; it ends in any case."""
SWITCH_S = 0.03
"""How long a thread may keep the interpreter to itself, seconds."""


def run(settings: ProcessorSettings) -> None:
    """Run a worker until SIGTERM; it then commits what it folded and leaves the group. What it raises is a crash.

    Raises ConfigError where the trust bundle or the key cannot be used, before anything is done.
    Where it cannot be ended in order, the process ends at once with status 1.
    """
    # The consumer's thread only fetches ahead: it gains less than it costs if it wrests the interpreter from the fold
    # every 5 ms.
    sys.setswitchinterval(SWITCH_S)
    trust = Trusting(Bundles(settings.trust.bundle, settings.trust.kept), signer(settings.trust.key, "trust.key"))
    if trust.bundles.current.signed_control and trust.signer is None:
        words = "trust.key: the trust bundle believes no processor that does not sign: give the key of this one"
        raise ConfigError(words)
    shutdown.run(lambda stopping: _serve(settings, trust, stopping))


class Trusting(NamedTuple):
    """By what this process verifies, and with what it signs, if it has a key."""

    bundles: Bundles
    signer: Signer | None


async def _serve(settings: ProcessorSettings, trust: Trusting, stopping: asyncio.Event) -> None:
    async with Health("processor", settings.http) as health:
        health.set("kafka", ok=False, why="not reached yet, or its topics are not as they must be; see the log")
        for condition in ("assigned", "recovered"):
            health.set(condition, ok=False, why="starting")
        while not stopping.is_set():
            waiting = asyncio.ensure_future(topics.required(settings.kafka, health))
            if not await _unless_stopped(waiting, stopping):
                return
            health.set("kafka", ok=True)
            try:
                await _work(settings, trust, waiting.result(), health, stopping)
            except KafkaError as cause:
                # Ended in order, and everything is read back from Kafka: as good as a new process.
                health.set("kafka", ok=False, why=repr(cause))
                structlog.get_logger().warning("Kafka went away: the worker begins anew", cause=repr(cause))


async def _unless_stopped(task: "asyncio.Future[int]", stopping: asyncio.Event) -> bool:
    """Wait for the task; cancel it and return False if the process is told to stop before."""
    stopped = asyncio.ensure_future(stopping.wait())
    both: set[asyncio.Future[Any]] = {task, stopped}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        return True
    task.cancel()
    return False


async def _work(
    settings: ProcessorSettings, trust: Trusting, partitions: int, health: Health, stopping: asyncio.Event
) -> None:
    """Run Faust beside the ticker until the process is told to stop.

    Raises what crashed it; KafkaError only where the worker could end in order, so that another may begin.
    """
    health.alive("worker", ok=True)
    crashed: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()

    def fatal(error: BaseException) -> None:
        health.alive("worker", ok=False, why=repr(error))
        if not crashed.done():
            crashed.set_exception(error)

    bundles = trust.bundles
    worker = Worker(settings, partitions, bundles, fatal)
    checks = _role_checks(settings, trust, worker)
    signing = Signing(trust.signer, partial(worker.end_of, EVENTS)) if trust.signer is not None else None
    ticker = Ticker(
        worker.ownership, worker.append, settings.rules.window_ms, lambda: bundles.current.digest, signing=signing
    )
    stopped = asyncio.ensure_future(stopping.wait())
    watching = bundles.watch(Discovery().complete)
    beside = (worker.run(), ticker.run(), report(worker, ticker, health), watching)
    tasks: list[asyncio.Future[Any]] = [stopped, *map(asyncio.ensure_future, beside)]
    try:
        done, _ = await asyncio.wait([*tasks, crashed], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        if checks is not None:
            await checks.close()
    if stopped in done:
        _end_process_after(settings.drain_seconds + MARGIN_S)
        await worker.drain(settings.drain_seconds)
        return
    structlog.get_logger().error("crashing: what was folded since the last commit is folded again, nothing is lost")
    overdue = _end_process_after(ABANDON_S + MARGIN_S)
    await worker.abandon(ABANDON_S)
    for ended in done:
        if isinstance(ended.exception(), KafkaError):
            overdue.cancel()
        ended.result()
    raise AssertionError("a task of the worker ended")  # pragma: no cover - all of them run until cancelled


def _role_checks(settings: ProcessorSettings, trust: Trusting, worker: Worker) -> RoleChecks | None:
    """Let the worker ask STS for roles, if it has a key to sign what STS says."""
    if trust.signer is None:
        return None
    known = trust.bundles.current.processors
    if trust.signer.public not in known:
        words = "nobody believes what this processor says: its key is not among the trust bundle's processors"
        structlog.get_logger().error(words, key=trust.signer.public, processors=known)
    sts = Sts(lambda: trust.bundles.current.audiences, settings.trust.sts_endpoint)
    checks = RoleChecks(sts, trust.signer, worker.append, str(uuid.uuid4()))
    worker.ownership.ask = checks.ask
    return checks


def _end_process_after(seconds: float) -> threading.Timer:
    """End the process with status 1 if it is still there by then, however it hangs: as safe as a kill -9."""
    # Not by a deadline in the loop. While Kafka is away Faust's commit swallows a cancellation, to stop its consumer is
    # to join a thread, which blocks the loop, and the loop itself would wait for tasks that cannot be cancelled.
    overdue = threading.Timer(seconds, os._exit, (1,))
    overdue.daemon = True
    overdue.start()
    return overdue
