"""``muster local``: the local stack by hand."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.local.child import StartError
from services.local.remote import DEFAULT_FOLDER, Running, forget

app = typer.Typer(
    no_args_is_help=True,
    help="A real Kafka and a real Kubernetes API on this machine, without Docker.",
    epilog="Exit codes: 0 fine, 1 the stack is down or could not be started.",
)
_err = Console(stderr=True)
Folder = Annotated[Path, typer.Option("--folder", envvar="MUSTER_LOCAL_DIR", help="where the stack keeps its state")]


@app.command(epilog="Exit codes: 0 up, and every part ready; 1 a part did not come up (its last words are told).")
def up(
    folder: Folder = DEFAULT_FOLDER,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="begin with no data of an earlier run")] = False,
) -> None:
    """Start the stack in the background and wait until it is ready; the first time builds for minutes.

    A part that failed is tried again.

    For example:

      muster local up && export KUBECONFIG="$(muster local status -o kubeconfig)"
    """
    if fresh:
        _end(folder)
        forget(folder)
    try:
        running = Running.start(folder)
        state = asyncio.run(running.state())
        if "failed" in {state[part]["state"] for part in ("kafka", "kube")}:
            running.end()
            running = Running.start(folder)
        asyncio.run(_wait(running))
    except StartError as error:
        _err.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    status(folder)


async def _wait(running: Running) -> None:
    """Show how the parts come up until all are ready; StartError if one failed."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True) as bars:
        tasks = {part: bars.add_task(part, total=None) for part in ("kafka", "kube")}
        while True:
            state = await running.state()
            for part, task in tasks.items():
                told = state[part]
                if told["state"] == "failed":
                    raise StartError(told["why"])
                bars.update(task, description=described(part, told), total=told.get("total") or None)
                bars.update(task, completed=told.get("done", 0))
            if all(state[part]["state"] == "ready" for part in tasks):
                return
            await asyncio.sleep(0.2)


def described(part: str, told: dict[str, Any]) -> str:
    """Return one line about a part of the stack."""
    name = {"kafka": "Kafka", "kube": "Kubernetes API"}[part]
    return f"{name}: {told['what'] or told['state']}"


@app.command(epilog="Exit codes: 0 down, also where nothing was up.")
def down(folder: Folder = DEFAULT_FOLDER) -> None:
    """End the stack and everything that was started with it. Its data stays; `up --fresh` begins anew."""
    _err.print("The local stack is down." if _end(folder) else "No local stack was up.")


def _end(folder: Path) -> bool:
    running = Running.find(folder)
    if running is None:
        return False
    with _err.status("ending the local stack…"):
        running.end()
    return True


@app.command(epilog="Exit codes: 0 up; 1 not up, or what was asked for is not there.")
def status(
    folder: Folder = DEFAULT_FOLDER,
    output: Annotated[str, typer.Option("-o", "--output", help="text, json, kubeconfig or bootstrap")] = "text",
) -> None:
    """Say what runs and where.

    For example:

      kubectl --kubeconfig "$(muster local status -o kubeconfig)" get war -A
    """
    running = Running.find(folder)
    if running is None:
        _err.print(f"No local stack is up in {folder}; `muster local up` starts one.", soft_wrap=True)
        raise typer.Exit(1)
    try:
        state = asyncio.run(running.state())
    except StartError as error:
        _err.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    match output:
        case "json":
            typer.echo(json.dumps(state, indent=2))
        case "kubeconfig":
            typer.echo(state["kube"].get("kubeconfig", ""))
        case "bootstrap":
            typer.echo(state["kafka"].get("bootstrap_servers", ""))
        case _:
            typer.echo(f"Kafka           {state['kafka']['state']}  {state['kafka'].get('bootstrap_servers', '')}")
            typer.echo(f"Kubernetes API  {state['kube']['state']}  {state['kube'].get('kubeconfig', '')}")
            for name, child in sorted(state["children"].items()):
                standing = f"running, pid {child['pid']}" if child["running"] else f"ended with {child['status']}"
                typer.echo(f"{name:<15} {standing}")


@app.command(epilog="Exit codes: 0 printed; 1 there is no such log (those that are there are named).")
def logs(name: str, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print the log of a part: kafka, kube, or a program that was started with the stack.

    For example:

      muster local logs kafka
    """
    places = {"kafka": folder / "kafka" / "kafka.log", "kube": folder / "kube" / "kube.log"}
    file = places.get(name, folder / "logs" / f"{name}.log")
    if not file.exists():
        known = sorted([*places, *(one.stem for one in (folder / "logs").glob("*.log"))])
        _err.print(f"No log of {name} in {folder}; there are: {', '.join(known)}.", soft_wrap=True)
        raise typer.Exit(1)
    typer.echo(file.read_text(errors="replace"), nl=False)
