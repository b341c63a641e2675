"""Figures as a table for people, and as JSON."""

import platform
from collections.abc import Sequence
from pathlib import Path

import psutil

from services.cli.table import row
from tests.chaos.trial import Figures

HEAD = (
    "FAULT",
    "LASTED",
    "EVENTS",
    "VERDICTS",
    "FALSE REMOVALS",
    "FALSE ABSENTS",
    "DETECT",
    "ENDPOINT",
    "RECOVER",
    "NO TRAFFIC",
    "RESTARTS",
    "WRITES",
    "INVARIANTS",
)
WIDTHS = (25, 7, 6, 44, 14, 13, 7, 8, 7, 10, 8, 6, 10)


def head() -> str:
    """Return the table's first line."""
    return row(HEAD, WIDTHS)


def line(figures: Figures) -> str:
    """Return a fault's line."""
    if figures.skipped:
        return f"{figures.fault.ljust(WIDTHS[0])}   skipped: {figures.skipped}"
    cells = (
        figures.fault,
        seconds(figures.outage_s),
        str(figures.events),
        verdicts(figures),
        str(figures.false_removals),
        str(figures.false_absents),
        seconds(figures.detect_s),
        seconds(figures.endpoint_s),
        seconds(figures.recover_s),
        number(figures.without_traffic),
        str(figures.restarts),
        str(figures.writes),
        "broken" if figures.broken else "held",
    )
    return row(cells, WIDTHS)


def document(found: Sequence[Figures]) -> dict[str, object]:
    """Return everything as JSON's values."""
    return {
        "machine": machine(),
        "faults": [
            {
                "fault": one.fault,
                "events": one.events,
                "verdicts": dict(one.verdicts),
                "judgedBy": "kubernetes" if one.by_kubernetes else "log",
                "falseRemovals": one.false_removals,
                "falseAbsents": one.false_absents,
                "lastedSeconds": one.outage_s,
                "detectSeconds": one.detect_s,
                "endpointSeconds": one.endpoint_s,
                "recoverSeconds": one.recover_s,
                "withoutTraffic": one.without_traffic,
                "restarts": one.restarts,
                "writes": one.writes,
                "broken": list(one.broken),
                "skipped": one.skipped,
            }
            for one in found
        ],
    }


def verdicts(figures: Figures) -> str:
    """Return how many verdicts of each kind fell."""
    return ", ".join(f"{count} {presence}" for presence, count in figures.verdicts.items()) or "none"


def machine() -> str:
    """Describe the machine in a line."""
    names = [
        text.split(":", 1)[1].strip()
        for text in (Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ())
        if text.startswith("model name")
    ]
    memory = psutil.virtual_memory().total / 2**30
    cores = psutil.cpu_count() or 0
    processor = names[0] if names else platform.processor() or platform.machine()
    return (
        f"{processor}, {cores} CPUs, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def seconds(value: float | None) -> str:
    """Return a duration, or a dash where there is none."""
    return "–" if value is None else f"{value:.1f} s"


def number(value: int | None) -> str:
    """Return a number, or a dash where it was not counted."""
    return "–" if value is None else str(value)
