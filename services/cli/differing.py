"""What would have been otherwise, for people and for jq: verdict by verdict, and in sum."""

import json
import sys
from collections import Counter
from typing import Any, NamedTuple

import typer

from schemas.names import parse_key
from schemas.workloads import Presence
from services.cli.options import Output
from services.cli.printing import cells_line
from services.replay.core.verdicts import JOINED, Change, Course, Difference, Verdict, percentiles
from services.replay.lines import shortest, to_time

HEAD = ("WOULD", "VERDICT", "NAMESPACE", "WORKLOAD", "LAST HEARD", "WAS", "WOULD BE")
_WIDTHS = (16, 8, 10, 64, 24, 24, 0)
_KINDS = (Presence.REMOVED, Presence.ABSENT, Presence.UNKNOWN, JOINED)


class Ended(NamedTuple):
    """How the reading ended."""

    certain: bool
    interrupted: bool
    complete: bool
    """The recording holds all that was asked for."""


def _order(one: Difference) -> tuple[int, int, bytes]:
    told = one.either
    return _KINDS.index(told.what), told.at_ms, told.key


def show(both: dict[str, Course], told: list[Difference], words: str, output: Output, ended: Ended) -> None:
    """Print the differences of two courses, ``was`` and ``wouldBe``: those that matter most first, then counts."""
    write = sys.stdout.buffer.write
    if output is not Output.JSON and told:
        write(cells_line(HEAD, _WIDTHS))
    for one in sorted(told, key=_order):
        write(shortest(_fields(one)) + b"\n" if output is Output.JSON else cells_line(_cells(one), _WIDTHS))
    summary = _summary(told, both, words, ended)
    if output is Output.JSON:
        write(json.dumps(summary).encode() + b"\n")
    sys.stdout.flush()
    for line in _words(summary):
        typer.echo(line, err=True)


def _cells(one: Difference) -> tuple[str, ...]:
    told = one.either
    key = parse_key(told.key)
    named = (key.namespace, key.war_name) if key is not None else ("-", repr(told.key))
    sure = "" if all(either.certain for either in (one.was, one.would) if either is not None) else "?"
    return (f"{one.change}{sure}", told.what, *named, _time(told.heard_ms), _at(one.was), _at(one.would))


def _fields(one: Difference) -> dict[str, Any]:
    told = one.either
    return {
        "type": "verdict",
        "would": one.change,
        "verdict": told.what,
        "key": told.key.decode(errors="replace"),
        "lastHeard": _time(told.heard_ms) if told.heard_ms is not None else None,
        "was": _at(one.was) if one.was is not None else None,
        "wouldBe": _at(one.would) if one.would is not None else None,
        "certain": all(either.certain for either in (one.was, one.would) if either is not None),
    }


def _summary(told: list[Difference], both: dict[str, Course], words: str, ended: Ended) -> dict[str, Any]:
    counts = {name: Counter(one.what for one in course.verdicts.values()) for name, course in both.items()}
    changes = Counter((one.either.what, one.change) for one in told)
    return {
        "type": "what-if",
        "whatIf": words,
        "certain": ended.certain,
        "interrupted": ended.interrupted,
        "complete": ended.complete and not ended.interrupted,
        "verdicts": {
            str(kind): {
                **{name: count[kind] for name, count in counts.items()},
                **{str(change): changes[kind, change] for change in Change if changes[kind, change]},
            }
            for kind in _KINDS
        },
        "detectionMs": {name: percentiles(course.detections()) for name, course in both.items()},
    }


def _words(summary: dict[str, Any]) -> list[str]:
    lines = []
    for kind, counts in summary["verdicts"].items():
        rest = [f"{count} {change}" for change, count in counts.items() if change not in {"was", "wouldBe"}]
        lines.append(f"{kind}: {counts['was']}, would be {counts['wouldBe']}{''.join(f'; {one}' for one in rest)}")
    for name, words in (("was", "noticed"), ("wouldBe", "would be noticed")):
        found = summary["detectionMs"][name]
        told = ", ".join(f"{which} {value / 1000:.1f} s" for which, value in found.items()) or "of nobody"
        lines.append(f"silence {words} after: {told}")
    return lines


def _at(one: Verdict | None) -> str:
    return _time(one.at_ms) if one is not None else "-"


def _time(millis: int | None) -> str:
    return str(to_time(millis)) if millis is not None else "before the range"
