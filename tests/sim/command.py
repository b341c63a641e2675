"""What ``muster sim`` and ``python -m tests.sim`` run: many seeds over all cores, or one of them in words."""

import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.cli.progress import Meter
from tests.sim.campaign import Outcome, run, shrink
from tests.sim.figures import Figures
from tests.sim.page import page

BATCH = 20
"""Seeds that a process is given at once: about two seconds."""


def one(seed: int, *, as_json: bool) -> bool:
    """Run one seed and tell its faults; where it fails, the fewest that it needs. Return whether all held."""
    began = time.monotonic()
    outcome = run(seed)
    figures = Figures()
    figures.take(outcome)
    _tell(shrink(outcome) if outcome.broken else outcome, Console(stderr=True))
    _print(figures.printed(time.monotonic() - began, 1), as_json=as_json)
    return not outcome.broken


def many(numbers: range, jobs: int, *, as_json: bool, write: Path | None = None) -> bool:
    """Run seeds in so many processes, and tell of each that fails at once. Return whether all held.

    ``write`` is where the page of them goes.
    """
    began = time.monotonic()
    figures = Figures()
    errors = Console(stderr=True)
    with Meter("seeds") as meter:
        for outcome in _outcomes(numbers, jobs):
            figures.take(outcome)
            if outcome.broken:
                meter.hide()
                _tell(outcome, errors)
            meter(figures.seeds, len(numbers))
    seconds = time.monotonic() - began
    _print(figures.printed(seconds, jobs), as_json=as_json)
    if write is not None:
        write.write_text(page(figures, seconds, jobs, _told(numbers), datetime.now(UTC).date()))
    return not figures.broken


def _told(numbers: range) -> str:
    first = f"--first {numbers.start} " if numbers.start else ""
    return f"{first}--seeds {len(numbers)}"


def _outcomes(numbers: range, jobs: int) -> Iterator[Outcome]:
    batches = [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]
    if jobs == 1:
        for batch in batches:
            yield from _batch(batch)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        try:
            for done in as_completed([pool.submit(_batch, batch) for batch in batches]):
                yield from done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _batch(numbers: range) -> list[Outcome]:
    """Run some seeds; of the first that fails only the fewest faults that still make it fail, which takes a while."""
    outcomes = [run(number) for number in numbers]
    first = next((outcome for outcome in outcomes if outcome.broken), None)
    return [shrink(outcome) if outcome is first else outcome for outcome in outcomes]


def _print(figures: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    table = Table("FIGURE", "VALUE", box=None)
    for name, value in figures.items():
        words = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name, words or "none")
    Console().print(table)


def _tell(outcome: Outcome, console: Console) -> None:
    """Print what a person needs to see the failure happen."""
    lines = [
        f"seed {outcome.seed}: {outcome.broken or 'every invariant held'}",
        *(f"  {one}" for one in outcome.faults),
    ]
    if outcome.broken:
        lines += [f"  {at_ms:>6} ms  {words}" for at_ms, words in outcome.trace]
        lines += [f"again: muster sim --seed {outcome.seed}"]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
