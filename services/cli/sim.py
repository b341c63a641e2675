"""``muster sim``: the simulation of a checkout. It lives under ``tests``, with the oracle and the fakes it is made of.

An installed Muster has no tests, and says so.
"""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from services.cli.options import EXIT_USAGE, EXIT_WRONG

_ROOT = Path(__file__).parents[2]


def sim(
    seeds: Annotated[int, typer.Option(help="How many seeds to run.", min=1)] = 200,
    first: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    seed: Annotated[int | None, typer.Option(help="Run this seed alone, and tell its faults.", min=0)] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes to run them in. [default: one per core]", min=1)] = None,
    write: Annotated[Path | None, typer.Option(help="Write the page of many seeds to this file.")] = None,
    output: Annotated[str, typer.Option("-o", "--output", metavar="table|json", help="Form of the output.")] = "table",
) -> None:
    """Simulate whole worlds with faults, one a seed, and check that nothing is lost and nobody is falsely removed.

    The real cores of agent, processor and sink run in virtual time; a seed is the same world everywhere. Of a seed
    that fails the fewest faults that still make it fail are told. Needs a checkout of Muster.

    For example:

      muster sim --seeds 10000 -o json

      muster sim --seed 4711
    """
    if output not in {"table", "json"}:
        raise typer.BadParameter(f"-o {output}: expected one of table, json")
    command = _simulation()
    as_json = output == "json"
    if seed is not None and write is not None:
        raise typer.BadParameter("--write is of many seeds, and --seed is one")
    if seed is not None:
        held = command.one(seed, as_json=as_json)
    else:
        held = command.many(range(first, first + seeds), jobs or os.cpu_count() or 1, as_json=as_json, write=write)
    if not held:
        raise typer.Exit(EXIT_WRONG)


def _simulation() -> ModuleType:
    """Return the module of this checkout that runs it; end with exit code 2 where there is none."""
    if not (_ROOT / "tests" / "sim" / "command.py").exists():
        words = (
            f"muster sim: no simulation beside {_ROOT / 'services'}: it is part of Muster's tests, which are not "
            "installed with it. Run it from a checkout: make sim SEEDS=10000"
        )
        typer.echo(words, err=True)
        raise typer.Exit(EXIT_USAGE)
    if str(_ROOT) not in sys.path:
        sys.path.insert(0, str(_ROOT))
    return importlib.import_module("tests.sim.command")
