"""Runs the tour, and says how to go on from where it ends."""

import asyncio
import logging
import os
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from services.cli.demo.show import Show, TourError
from services.cli.demo.tour import Tour
from services.cli.demo.world import World, fresh
from services.local.child import StartError
from services.local.remote import DEFAULT_FOLDER
from services.runtime import log
from services.runtime.config import LogSettings

FAILED = 1


def run(*, leave: bool) -> None:
    """Show the tour; ``leave`` ends the stack afterwards. Exit code 1 where the world did not do as promised."""
    log.configure("demo", LogSettings(level="error"))
    # It complains aloud of leaders that are still being elected, and tries again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = Path(os.environ.get("MUSTER_LOCAL_DIR") or DEFAULT_FOLDER)
    console = Console(highlight=False)
    show = Show(console)
    try:
        with console.status("beginning with a fresh local stack…"):
            world = fresh(folder)
    except StartError as error:
        console.print(Text(str(error), style="red"))
        raise typer.Exit(FAILED) from error
    try:
        asyncio.run(Tour(world, show).run())
    except (TourError, RuntimeError, StartError) as error:
        console.print(Text(f"✗ {error}", style="red"))
        console.print(f"The logs are in {folder}/logs; `make down` ends the stack.")
        if leave:
            world.stack.end()
        raise typer.Exit(FAILED) from error
    if leave:
        with console.status("ending the local stack…"):
            world.stack.end()
        console.print("\nThe tour is over and the stack is down.")
        return
    _farewell(world, console)


def _farewell(world: World, console: Console) -> None:
    console.print("\n[bold]The tour is over; everything still runs.[/] Look around:\n")
    console.print(f"  export KUBECONFIG={world.kubeconfig}", soft_wrap=True)
    console.print("  kubectl get war -A")
    console.print(f"  .venv/bin/muster status --watch --bootstrap-servers {world.bootstrap_servers}", soft_wrap=True)
    console.print("  .venv/bin/muster local status\n")
    console.print("`make down` ends it.")
