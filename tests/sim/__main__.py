"""``python -m tests.sim``: many seeds, or one of them again with what made it fail."""

import json
import sys
import time
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.sim.campaign import Outcome, run, shrink


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds to run.", min=1)] = 200,
    first: Annotated[int, typer.Option(help="The first of them.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Run this seed alone, and tell its faults.")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Run seeds; exit status 1 where an invariant broke."""
    if output not in {"table", "json"}:
        raise typer.BadParameter(f"--output is {output!r}: table or json", param_hint="--output")
    numbers = range(first, first + seeds) if seed is None else range(seed, seed + 1)
    errors = Console(stderr=True)
    began = time.monotonic()
    faults: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    events, broken = 0, []
    columns = (
        TextColumn("seeds"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as progress:
        for number in progress.track(numbers):
            outcome = run(number)
            faults.update(fault.kind for fault in outcome.faults)
            verdicts.update(outcome.verdicts)
            events += outcome.events
            if outcome.broken:
                broken.append(outcome)
                _tell(shrink(outcome), errors)
            elif seed is not None:
                _tell(outcome, errors)
    figures = {
        "seeds": len(numbers),
        "seedsPerSecond": round(len(numbers) / (time.monotonic() - began), 1),
        "events": events,
        "faults": dict(sorted(faults.items())),
        "verdicts": dict(sorted(verdicts.items())),
        "falseVerdicts": sum(outcome.broken.startswith(("false verdict", "void window")) for outcome in broken),
        "failedSeeds": {outcome.seed: outcome.broken for outcome in broken},
    }
    _print(figures, output)
    sys.exit(1 if broken else 0)


def _print(figures: dict[str, object], output: str) -> None:
    if output == "json":
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    table = Table("FIGURE", "VALUE", box=None)
    for name, value in figures.items():
        words = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name, words or "none")
    Console().print(table)


def _tell(outcome: Outcome, console: Console) -> None:
    """Print what a person needs to see the failure happen."""
    console.print(f"seed {outcome.seed}: {outcome.broken or 'every invariant held'}", markup=False, highlight=False)
    for fault in outcome.faults:
        console.print(f"  {fault}", markup=False, highlight=False)
    if outcome.broken:
        for at_ms, words in outcome.trace:
            console.print(f"  {at_ms:>6} ms  {words}", markup=False, highlight=False)
        console.print(f"again: python -m tests.sim --seed {outcome.seed}", markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
