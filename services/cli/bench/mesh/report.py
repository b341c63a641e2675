"""Outcomes as a table, a column to a cell; as JSON; and as the page that is kept of them (``deploy/load.md``)."""

import platform
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from services.cli.bench.mesh.results import Outcome, Spread, Turn
from services.cli.bench.mesh.ticks import TickCost
from services.cli.bench.mesh.trial import BARE, Plan

PAGE = """# Muster under load

Every part is a process of its own, with a real Kafka and a real Kubernetes API, all on one machine:
{machine}.
Agents and the measuring client ran on it too: compare ratios, not absolutes. Written on {date} by
`muster bench load {cells} --steady {steady:g} --join {join:g} --deletions {deletions} --write deploy/load.md`.

The agents are signed by a mint, connect within {join:g} s, and show a link of their hash chain with every heartbeat.
Windows hold two heartbeats; absent after 3 missed windows. The sink's write budget is {budget:g} writes/s. A *bare
client* creates WorkloadEntries, as many at a time as the sink, and does nothing else; a *bare consumer* follows
`muster.events` beside the processor and looks at nothing. What is timed is read by a watch in Kubernetes, and beside it
in `muster.workloads`: up to there it is the processor's work, from there the sink's and Kubernetes'. The same figures,
and more of them, are in `{beside}`.

{table}

- An agent that dies right after its heartbeat is absent when the third window after that one closes: at most four
  windows. That bound is the log's; the rest is the sink's writes and the watch.
- A registration is three writes, one after another (registration, its status, entry); one that comes or goes is two.
  How far the sink is from a bare client's writes says how far Kubernetes is from being what bounds it.

What closing a window costs the processor, in milliseconds of CPU, by the workloads of a partition:

{ticks}
"""
TICKS = ("workloads", "all there", "a tenth called absent", "a tenth absent", "nobody heard, braked")


def rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Return the figures, each with what it is in every cell."""
    return [[words, *(figure(outcome) for outcome in outcomes)] for words, figure in FIGURES]


def head(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what the columns are."""
    return ["", *(f"{o.cell.workloads:,} every {o.cell.heartbeat_s:g} s" for o in outcomes)]


def page(outcomes: Sequence[Outcome], ticks: Sequence[TickCost], plan: Plan, today: date, beside: str) -> str:
    """Return the page; ``beside`` is the file of ``document``."""
    return PAGE.format(
        machine=machine(),
        date=today,
        cells=" ".join(f"{o.cell.workloads}x{o.cell.heartbeat_s:g}" for o in outcomes),
        steady=plan.steady_s,
        deletions=plan.deletions,
        join=plan.join_s,
        budget=plan.budget,
        beside=beside,
        table=_markdown(head(outcomes), rows(outcomes)),
        ticks=_markdown(TICKS, closing(ticks)),
    )


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))


def closing(ticks: Sequence[TickCost]) -> list[list[str]]:
    """Return what closing a window costs, under ``TICKS``."""
    return [[f"{workloads:,}", *(f"{cost:.1f}" for cost in costs)] for workloads, *costs in ticks]


def document(outcomes: Sequence[Outcome], ticks: Sequence[TickCost], plan: Plan) -> dict[str, object]:
    """Return everything as JSON's values."""
    return {
        "machine": machine(),
        "plan": plan._asdict(),
        "cells": [_plain(outcome) for outcome in outcomes],
        "ticks": [_plain(one) for one in ticks],
    }


def machine() -> str:
    """Describe the machine in a line."""
    told = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in told if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    memory = psutil.virtual_memory().total / 2**30
    size = f"{psutil.cpu_count()} CPUs, {memory:.0f} GiB"
    return f"{processor}, {size}, {platform.system()}, Python {platform.python_version()}"


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON's values
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    return value


def _held(outcome: Outcome) -> float:
    return outcome.steady.heartbeats_per_second


def _each(found: Spread) -> str:
    return f"{found.p50:.1f} / {found.p99:.1f} s"


def _both(turn: Turn) -> str:
    return f"{turn.heard_s:.0f} / {turn.seconds:.0f} s"


def _all(turn: Turn) -> str:
    return f"{turn.workloads:,} in {turn.seconds:.0f} s, {turn.writes_per_second:.0f} writes/s"


def _beside(outcome: Outcome) -> str:
    ours, bare = outcome.joined.writes_per_second, outcome.bare_writes_per_second
    return f"{ours:.0f} of {bare:.0f} ({ours / bare:.2f})"


def _share(outcome: Outcome, name: str) -> str:
    return f"{outcome.steady.cpu[name]:.1%}"


def _cpu(outcome: Outcome) -> str:
    ours, bare = (outcome.steady.cpu[name] / _held(outcome) * 1e6 for name in ("processor", BARE))
    return f"{ours:.0f} / {bare:.0f} µs ({ours / bare:.1f})"


def _memory(outcome: Outcome, name: str) -> str:
    grown = outcome.steady.grown[name] / outcome.cell.workloads / 1024
    return f"{outcome.steady.memory[name] / 2**20:.0f} MiB, {grown:.1f} KiB"


def _crept(outcome: Outcome, name: str) -> str:
    return f"{outcome.steady.crept[name] / 2**20:.1f}"


def _recovery(outcome: Outcome) -> str:
    return f"{outcome.recovery.ready_s:.1f} / {outcome.recovery.caught_up_s:.1f} s"


FIGURES: Sequence[tuple[str, Callable[[Outcome], str]]] = (
    ("heartbeats/s held, of those due", lambda o: f"{_held(o):,.0f} of {o.cell.per_second:,.0f}"),
    ("window", lambda o: f"{o.cell.window_ms / 1000:g} s"),
    ("**joining**: in the log / all registered after", lambda o: _both(o.joined)),
    ("connect → processor's verdict, p50 / p99", lambda o: _each(o.joined.told)),
    ("connect → `AGENT CONNECTED` True, p50 / p99", lambda o: _each(o.joined.each)),
    ("sink's writes/s, beside a bare client's", _beside),
    ("**steady**: writes to Kubernetes", lambda o: f"{o.steady.writes} in {o.steady.seconds:.0f} s"),
    ("processor's largest lag, records", lambda o: f"{o.steady.largest_lag:,}"),
    ("processor, share of a core", lambda o: _share(o, "processor")),
    ("CPU of a heartbeat, processor / bare consumer", _cpu),
    ("sink, share of a core", lambda o: _share(o, "sink")),
    ("API server, share of a core", lambda o: _share(o, "API server")),
    ("broker, share of a core", lambda o: _share(o, "broker")),
    ("processor's memory, and per workload", lambda o: _memory(o, "processor")),
    ("sink's memory, and per workload", lambda o: _memory(o, "sink")),
    ("grown meanwhile, processor / sink", lambda o: f"{_crept(o, 'processor')} / {_crept(o, 'sink')} MiB"),
    ("**death of a tenth** → verdict, p50 / p99", lambda o: _each(o.detection.told)),
    ("longest, beside its bound", lambda o: f"{o.detection.told.longest:.1f} s of {o.detection.bound_s:g} s"),
    ("→ `AGENT CONNECTED` False, p50 / p99", lambda o: _each(o.detection.connected)),
    ("→ its endpoint gets no traffic, p50 / p99", lambda o: _each(o.detection.endpoint)),
    ("**kill -9 of the processor**: ready / caught up", _recovery),
    ("**registrations deleted**", lambda o: _all(o.deleted)),
    ("→ registered anew, p50 / p99", lambda o: _each(o.deleted.each)),
    ("**all say goodbye**", lambda o: _all(o.left)),
    ("**all come back at once**", lambda o: _all(o.returned)),
    ("in the log / all True after", lambda o: _both(o.returned)),
    ("connect → processor's verdict, p50 / p99", lambda o: _each(o.returned.told)),
    ("connect → True, p50 / p99", lambda o: _each(o.returned.each)),
    ("**falsely called absent, unknown or gone**", lambda o: str(o.wronged)),
)
