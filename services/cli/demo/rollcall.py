"""The live roll call from the topics, while the Kubernetes API is still being built."""

import asyncio
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from schemas.topics import WORKLOADS
from services.cli.demo.world import World
from services.cli.roster import HEAD, Roster, cells
from services.cli.table import fitting
from services.local.cli import described
from services.runtime.config import KafkaSettings
from services.runtime.kafka import reader


async def watch(world: World, console: Console, least: int) -> None:
    """Show who is there until the Kubernetes API is ready and at least ``least`` workloads are."""
    roster = Roster()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    progress = Progress(*columns, console=console)
    build = progress.add_task("Kubernetes API", total=None)
    consumer = await reader(KafkaSettings(bootstrap_servers=world.bootstrap_servers), WORKLOADS)

    def drawn() -> Group:
        now = datetime.now(UTC)
        lines = fitting(HEAD, [cells(entry, now) for entry in roster.present()], console.width)
        return Group(Text("\n".join(lines), no_wrap=True), Text(), progress)

    try:
        with Live(drawn(), console=console, refresh_per_second=4) as live:
            while True:
                for chunk in (await consumer.getmany(timeout_ms=250)).values():
                    for record in chunk:
                        roster.take(record.key, record.value)
                told = (await world.stack.state())["kube"]
                progress.update(build, description=described("kube", told), total=told.get("total") or None)
                progress.update(build, completed=told.get("done", 0))
                if told["state"] == "failed":
                    raise RuntimeError(told["why"])
                if told["state"] == "ready" and len(roster.present()) >= least:
                    progress.update(build, visible=False)
                    live.update(drawn())
                    return
                live.update(drawn())
                await asyncio.sleep(0)
    finally:
        await consumer.stop()
