"""``muster schemas``: the JSON Schemas of all messages, generated from the models and never by hand."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.actions import Written
from schemas.events import Connect, Disconnect, Heartbeat, Override, Resumed, RoleChecked, Tick, Trusted
from schemas.message import Message
from schemas.registrations import Ended, Refused, Registered
from schemas.rejected import Rejected
from schemas.removals import Release, Removal, Restore
from schemas.workloads import Workload
from services.cli.options import EXIT_WRONG

MESSAGES: tuple[type[Message], ...] = (
    Connect,
    Heartbeat,
    Disconnect,
    Tick,
    Resumed,
    Trusted,
    RoleChecked,
    Override,
    Workload,
    Registered,
    Refused,
    Ended,
    Rejected,
    Removal,
    Restore,
    Release,
    Written,
)
"""Every message that stands in a topic."""

app = typer.Typer(
    help="Write the JSON Schemas of all messages, or check that they are the models'.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the schemas.")]
DEFAULT_FOLDER = Path("schemas/v1")


def documents() -> dict[str, str]:
    """Return the text of each schema by its file name."""
    return {f"{one.__name__.lower()}.json": json.dumps(_schema(one), indent=2) + "\n" for one in MESSAGES}


def _schema(model: type[Message]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    # On the wire these two are never left out: the defaults are only for who builds a message in Python.
    schema["required"] = ["v", "type", *(name for name in schema.get("required", []) if name not in ("v", "type"))]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@app.command("write", epilog="Exit codes: 0 written; 2 wrong usage.")
def write(folder: Folder = DEFAULT_FOLDER) -> None:
    """Write one JSON Schema per message.

    For example:

      muster schemas write
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")
        typer.echo(folder / name)


@app.command("check", epilog="Exit codes: 0 equal; 1 a file is missing or differs (each is named); 2 wrong usage.")
def check(folder: Folder = DEFAULT_FOLDER) -> None:
    """Compare the files with the models.

    For example:

      muster schemas check
    """
    faults = faults_in(folder)
    for fault in faults:
        typer.echo(f"{fault}; mend it with: muster schemas write {folder}", err=True)
    if faults:
        raise typer.Exit(EXIT_WRONG)


def faults_in(folder: Path) -> list[str]:
    """Say which files of ``folder`` are not the models' schemas."""
    wanted = documents()
    faults = []
    for name, text in wanted.items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{path}: missing")
        elif path.read_text(encoding="utf-8") != text:
            faults.append(f"{path}: differs from the model")
    faults += [f"{path}: no such message" for path in sorted(folder.glob("*.json")) if path.name not in wanted]
    return faults
