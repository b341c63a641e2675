"""What a worker says of itself: readiness and gauges, brought up to date twice a second."""

import asyncio

from schemas.topics import EVENTS
from services.processor import metrics
from services.processor.app import Worker
from services.runtime.health import Health

EVERY_S = 0.5


async def report(worker: Worker, health: Health) -> None:
    """Report until cancelled."""
    while True:
        _readiness(worker, health)
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
