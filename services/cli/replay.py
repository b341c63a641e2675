"""``muster replay``: a range of the log folded again by the processor's own core, without any side effect."""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.topics import EVENTS
from services.cli.asking import Who, Yes
from services.cli.comparison import compared
from services.cli.emission import Emission, EmitTo, EmitWhy, emission_of
from services.cli.options import EXIT_USAGE, EXIT_WRONG, Assignments, Config, Servers, settings_of
from services.cli.printing import EXIT_INTERRUPTED, faults_told
from services.cli.progress import Meter
from services.cli.ranges import From, Namespace, Partitions, Terms, To, selected
from services.cli.replaying import Output, Printer
from services.processor.core.record import Record
from services.processor.core.rules import Rules
from services.processor.settings import ProcessorSettings
from services.replay.chunks import Chunk, Gap
from services.replay.cluster import home
from services.replay.refold import Happening, Refold, Transition
from services.replay.selection import Cut, Selection
from services.replay.source import Source, source, until
from services.replay.summary import FailOn, Tally, begun, cannot_know, failures, summary, unexpected
from services.runtime import shutdown

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Wanted:
    """What to fold, what to show of it, and what to assert."""

    where: Path | None
    folded: Selection
    shown: Selection
    fail_on: tuple[FailOn, ...]
    expected: dict[str, Any] | None
    compare: bool
    emission: Emission


@app.command(
    epilog="Exit codes: 0 replayed, and nothing asserted failed; 1 an assertion failed (each is told), or the "
    "recording is damaged, cut off or of another kind; 2 wrong usage; 130 interrupted, after the summary so far; "
    "141 whoever read stdout left."
)
def replay(
    where: Annotated[
        Path | None, typer.Argument(metavar="[FILE|-]", help="A recording, or - for stdin; without it, the cluster.")
    ] = None,
    start: From = None,
    end: To = None,
    fold_from: Annotated[
        str | None,
        typer.Option(
            "--fold-from",
            metavar="PLACE",
            help="Begin the fold here and not at the beginning of the log: sooner done, but nothing is certain.",
        ),
    ] = None,
    partitions: Partitions = None,
    namespace: Namespace = None,
    selectors: Terms = None,
    fail_on: Annotated[
        list[FailOn] | None,
        typer.Option("--fail-on", help="Exit with 1 if this happens in the range; may be repeated."),
    ] = None,
    expect: Annotated[
        Path | None,
        typer.Option(
            "--expect", metavar="FILE", help="Exit with 1 unless the states at the end are those of this -o json."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--compare", metavar="live", help="Compare the states at the end with muster.workloads."),
    ] = None,
    emit: EmitTo = None,
    why: EmitWhy = None,
    who: Who = None,
    yes: Yes = False,
    output: Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")] = Output.TABLE,
    servers: Servers = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Fold the log again by the processor's own rules, and print the transitions; nothing changes without --emit.

    The fold begins where the log begins, so that it is right; --from, --to, -n and -l choose what is shown of it. What
    depends on records that are not there (retention, a recording that begins later) is marked with a ?. Give the
    processor's own --config, or --set rules.window_ms=…; a recording may know the rules itself.

    For example:

      muster replay --from 2026-11-23T03:00:00Z --to 2026-11-23T03:15:00Z -n bookinfo --set rules.window_ms=10000

      muster replay night.jsonl.zst -o wide

      muster events cat -o json | muster replay - -o json | jq 'select(.state.presence == "removed") | .key'

      muster replay night.jsonl.zst --fail-on removal --fail-on uncertain

      muster replay --compare live >/dev/null

      muster replay -l workload=jwt-corp--ann --emit muster.workloads --why "it was lost there"
    """
    if against not in {None, "live"}:
        raise typer.BadParameter(f"--compare {against}: expected live")
    shown = selected(start, end, partitions, namespace, selectors)
    for term in shown.filter.terms:
        if term.name in {"type", "session"}:
            raise typer.BadParameter(f"-l {term.name}: transitions are chosen by key, workload, group or partition")
    folded = selected(fold_from, end, partitions)
    settings = settings_of(ProcessorSettings, "replay", config, servers, assignments)
    wanted = Wanted(
        where,
        folded,
        shown,
        tuple(fail_on or ()),
        _expected(expect) if expect else None,
        against is not None,
        emission_of(emit, who, why),
    )
    printer = Printer(output)
    codes: list[int] = []

    async def run(stopping: asyncio.Event) -> None:
        codes.append(await _replay(wanted, settings, printer, stopping))

    with faults_told():
        shutdown.run(run)
    wanted.emission.finish(settings.kafka, codes[0], yes=yes)
    raise typer.Exit(codes[0])


async def _replay(wanted: Wanted, settings: ProcessorSettings, printer: Printer, stopping: asyncio.Event) -> int:
    async with source(wanted.where, settings.kafka, EVENTS, wanted.folded) as found:
        rules, whose = _rules(found, settings)
        refold = Refold(rules, home(found.partitions) if found.partitions else None, _doubts(found))
        tally, done = Tally(), 0
        shows = Shown(wanted.shown)
        with Meter("replaying") as meter:
            async for item in until(found.items(), stopping):
                for happening in refold.take(item):
                    if shows.takes(happening):
                        meter.hide()
                        tally.take(happening)
                        wanted.emission.take(happening)
                        printer.show(happening)
                done += len(item.records) if isinstance(item, Chunk) else 0
                meter(done, found.total)
                sys.stdout.flush()
    notes = [f"folded {found.name} by {whose}; {'; '.join(begun(refold)) or 'nothing was there'}", *cannot_know(refold)]
    if found.trailer is not None and not found.trailer.complete:
        notes.append("the recording was interrupted: it holds a part of what was asked for, and ends early")
    if found.header is None and found.live is None:
        notes.append("bare lines: nothing says how many partitions there are, nor that they were read to their end")
    if stopping.is_set():
        notes.append("interrupted: what follows is of a part")
    printer.summary(summary(refold, tally), notes)
    wanted.emission.replayed(found, refold, to_its_end=found.live is not None and wanted.folded.end is None)
    wrong = failures(wanted.fail_on, refold, tally)
    if wanted.expected is not None:
        wrong += unexpected(wanted.expected, refold)
    if wanted.compare and not stopping.is_set():
        wrong += await compared(refold, found.cluster, settings.kafka, wanted.shown.filter)
    for line in wrong:
        typer.echo(f"FAILED {line}", err=True)
    return EXIT_INTERRUPTED if stopping.is_set() else EXIT_WRONG if wrong else 0


class Shown:
    """Which happenings lie in the range that is to be shown."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._cuts: dict[int, Cut] = {}

    def takes(self, happening: Happening) -> bool:
        """Whether one is to be shown."""
        if isinstance(happening, Gap):
            return True
        place = happening.place
        key = happening.key if isinstance(happening, Transition) else None
        record = Record(place.offset, place.time_ms, key, None)
        cut = self._cuts.setdefault(place.partition, Cut(self._selection, place.partition))
        if not cut.takes(record):
            return False
        return not isinstance(happening, Transition) or self._selection.filter.takes(place.partition, record)


def _rules(found: Source, settings: ProcessorSettings) -> tuple[Rules, str]:
    """Return the rules to fold by, and whose they are."""
    if "rules" in settings.model_fields_set:
        rules = settings.rules.rules()
        others = found.header is not None and found.header.rules not in ({}, asdict(rules))
        return rules, "the rules given" + (", which are not those of the recording" if others else "")
    if found.header is not None and found.header.rules:
        try:
            return Rules(**found.header.rules), "the rules of the recording"  # type: ignore[arg-type]
        except TypeError as cause:
            typer.echo(
                f"Error: the recording's rules are not those of this Muster ({cause}); give --set rules.…", err=True
            )
            raise typer.Exit(EXIT_USAGE) from None
    return Rules(), "Muster's default rules (none were given)"


def _doubts(found: Source) -> tuple[str, ...]:
    header = found.header
    if header is not None and header.selector:
        return (f"the recording holds only what matches {header.selector}",)
    return ()


def _expected(path: Path) -> dict[str, Any]:
    """Return the newest state of each key in what `muster replay -o json` printed."""
    states: dict[str, Any] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            if told["type"] == "transition":
                states[told["key"]] = told["state"]
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise typer.BadParameter(f"--expect {path}: not what `muster replay -o json` prints: {cause!r}") from None
    return states
