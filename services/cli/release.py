"""``muster override release-removals``: an operator's word to the sink that all who are silent are gone (ADR 0016)."""

import typer

from schemas.names import CONTROL_KEY
from schemas.removals import Release
from schemas.topics import RESTORES
from services.cli.asking import agreed
from services.runtime.config import KafkaSettings
from services.runtime.kafka import answered, close, producer


async def write(kafka: KafkaSettings, order: Release, *, yes: bool) -> None:
    """Write the order, once it is agreed to."""
    agreed(
        [
            f"To {RESTORES} at {kafka.bootstrap_servers}:",
            f"  {order.to_json().decode()}",
            f"For {order.for_seconds} s whoever has been silent for its grace is removed, however many they are.",
        ],
        yes=yes,
    )
    pen = await producer(kafka)
    try:
        await answered(pen.send_and_wait, RESTORES, order.to_json(), CONTROL_KEY, what=f"writing to {RESTORES}")
    finally:
        await close(pen)
    typer.echo("release-removals written; the sink does it")
