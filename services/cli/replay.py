"""``muster replay``: a range of the log folded again by the processor's own core, without any side effect."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.asking import Who, Yes
from services.cli.beginnings import FromSnapshot, SaveSnapshot, SnapshotFile, start_of
from services.cli.comparison import Against, Compared
from services.cli.emission import EmitTo, EmitWhy, emission_of
from services.cli.kubectl import Context, Kubeconfig
from services.cli.opening import Range
from services.cli.options import Assignments, Config, Output, Servers, settings_of
from services.cli.printing import faults_told
from services.cli.ranges import From, Namespace, Partitions, Selector, To, selected, separated
from services.cli.refolding import Wanted, refolded
from services.cli.replaying import Printer
from services.cli.supposition import WhatIf, supposition_of
from services.cli.trusting import Bundles, bundles_of
from services.cli.what_if import supposed
from services.processor.settings import ProcessorSettings
from services.replay.summary import FailOn
from services.runtime import shutdown

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(
    epilog="Exit codes: 0 replayed, and nothing asserted failed; 1 an assertion failed (each is told), or the "
    "recording is damaged, cut off or of another kind; 2 wrong usage, or the log names a trust bundle that was not "
    "given (--bundle); 130 interrupted, after the summary so far; 141 whoever read stdout left."
)
def replay(
    where: Annotated[
        Path | None, typer.Argument(metavar="FILE|-", help="A recording, or - for stdin; without it, the cluster.")
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
    from_snapshot: FromSnapshot = None,
    snapshot: SnapshotFile = None,
    save_snapshot: SaveSnapshot = None,
    partitions: Partitions = None,
    namespace: Namespace = None,
    selectors: Selector = None,
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
    bundles: Bundles = None,
    what_if: WhatIf = None,
    against: Annotated[
        Against | None,
        typer.Option(
            "--compare",
            help="Compare the states with muster.workloads (topic), the WARs in Kubernetes (kube), or both (live); "
            "transitions are printed only with -o wide or -o json then.",
        ),
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
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

    The fold begins where the log begins, or from a snapshot, so that it is right; it says from which. --from, --to, -n
    and -l choose what is shown of it. What depends on records that are not there (retention, a recording that begins
    later) is marked with a ?. Give the processor's own --config, or --set rules.window_ms=…; a recording may know the
    rules itself.

    For example:

      muster replay --from 03:00 --to 03:15 --set rules.window_ms=10000

      muster replay night.jsonl.zst -o wide

      muster events cat -o json | muster replay - -o json |
        jq 'select(.state.presence == "removed") | .key'

      muster replay --from 15m --from-snapshot changelog

      muster replay night.jsonl.zst --what-if missed_windows=5,window=5s

      muster replay night.jsonl.zst --fail-on removal --fail-on uncertain

      muster replay --compare live -n bookinfo -l version=v5 --context production

      muster replay -l workload=jwt-corp--ann --emit sre.outcomes --why "a review"
    """
    supposition = supposition_of(what_if)
    if supposition is not None and (fail_on or expect or against or emit or save_snapshot):
        raise typer.BadParameter("--what-if tells of what was not: nothing can be asserted, compared, kept or emitted")
    named, labels = separated(selectors)
    shown = selected(start, end, partitions, namespace, named, where)
    for term in shown.filter.terms:
        if term.name in {"type", "session"}:
            raise typer.BadParameter(f"-l {term.name}: transitions are chosen by key, workload, group or partition")
    folded = selected(fold_from, end, partitions, where=where)
    settings = settings_of(ProcessorSettings, "replay", config, servers, assignments)
    if save_snapshot is not None and save_snapshot.exists():
        raise typer.BadParameter(f"--save-snapshot {save_snapshot} exists: give another name")
    bundles_given = bundles_of(bundles, settings)
    beginning = start_of(where, from_snapshot, snapshot, fold_from)
    meant = Range(where, folded, shown, labels, bundles_given, beginning)
    wanted = Wanted(
        range=meant,
        save=save_snapshot,
        fail_on=tuple(fail_on or ()),
        expected=_expected(expect) if expect else None,
        compare=Compared(against, shown.filter, labels, kubeconfig, context) if against else None,
        emission=emission_of(emit, who, why),
    )
    printer = Printer(output, brief=against is not None and output is Output.TABLE)
    codes: list[int] = []

    async def run(stopping: asyncio.Event) -> None:
        if supposition is not None:
            codes.append(await supposed(meant, supposition, settings, output, stopping))
        else:
            codes.append(await refolded(wanted, settings, printer, stopping))

    with faults_told():
        shutdown.run(run)
    wanted.emission.finish(settings.kafka, codes[0], yes=yes)
    raise typer.Exit(codes[0])


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
