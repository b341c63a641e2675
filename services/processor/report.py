"""What a worker says of itself: readiness and gauges, brought up to date twice a second."""

import asyncio

import structlog

from schemas.topics import EVENTS
from services.processor import metrics
from services.processor.app import Worker
from services.processor.ticks import Ticker
from services.runtime.health import Health

EVERY_S = 0.5
PATIENCE_S = 3.0
"""A tick that Kafka did not take for so long means that it is not there."""


async def report(worker: Worker, ticker: Ticker, health: Health) -> None:
    """Report until cancelled."""
    there = heard = True
    while True:
        _readiness(worker, health)
        there = _kafka(ticker, health, there=there)
        heard = _believed(ticker, health, heard=heard)
        for partition, owned in worker.ownership.owned.items():
            roll, number = owned.roll, str(partition)
            metrics.WINDOW.labels(number).set(roll.window)
            metrics.BRAKED.labels(number).set(roll.braked)
            for presence, count in roll.counts._asdict().items():
                metrics.WORKLOADS.labels(number, presence).set(count)
            metrics.COMMITTED.labels(number).set(owned.settled or 0)
            end = worker.end_of(EVENTS, partition)
            if end is not None:
                metrics.LAG.labels(number).set(max(0, end - roll.position))
        await asyncio.sleep(EVERY_S)


def _kafka(ticker: Ticker, health: Health, *, there: bool) -> bool:
    """Say once that Kafka is away, and once that it is back."""
    log = structlog.get_logger()
    waiting = ticker.waiting_s > PATIENCE_S
    if there and waiting:
        log.warning("waiting for Kafka: it takes no ticks, so no time passes and nobody expires")
    elif not there and not waiting:
        log.info("Kafka is back: time passes again")
    health.set("kafka", ok=not waiting, why="waiting for Kafka: it takes no ticks" if waiting else "")
    return not waiting


def _believed(ticker: Ticker, health: Health, *, heard: bool) -> bool:
    """Say once that the log does not believe this worker's key."""
    deaf = ticker.disbelieved
    why = f"the trust bundle in force in partitions {deaf} does not list this worker's key: no time passes there"
    if heard and deaf:
        structlog.get_logger().error(why)
    health.set("believed", ok=not deaf, why=why if deaf else "")
    return not deaf


def _readiness(worker: Worker, health: Health) -> None:
    ownership = worker.ownership
    assigned = worker.recovered > 0 or bool(ownership.owned)
    health.set("assigned", ok=assigned, why="" if assigned else "waiting for the group to hand out partitions")
    if not assigned or ownership.held:
        health.set("recovered", ok=False, why="the group is rebalancing, or rows are read back from the changelog")
    else:
        count = len(ownership.owned)
        health.set(
            "recovered", ok=True, why=f"{count} partitions" if count else "no partition: more workers than those"
        )
