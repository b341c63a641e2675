"""``muster record``: a range of the log in a file that vouches for itself."""

import asyncio
import hashlib
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from schemas.topics import EVENTS
from services.cli.beginnings import changelog_before
from services.cli.options import EXIT_WRONG, Assignments, Config, Servers, settings_of
from services.cli.printing import EXIT_INTERRUPTED, faults_told
from services.cli.progress import Meter
from services.cli.ranges import From, Namespace, Partitions, Terms, To, of_fields, selected
from services.cli.trusting import Bundles, bundles_of
from services.identity.core.bundle import TrustBundle
from services.identity.loading import load
from services.processor.settings import ProcessorSettings
from services.replay import recorder
from services.replay.attestation import Attestor
from services.replay.recorder import Order
from services.replay.recording import Trailer
from services.replay.redaction import Redactor
from services.replay.source import unless_stopped
from services.runtime import shutdown

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
KEY_VARIABLE = "MUSTER_REDACT_KEY"


@app.command(
    epilog="Exit codes: 0 recorded; 1 it cannot be resumed, or the file cannot be written; 2 wrong usage; 130 "
    "interrupted: what is there is a valid recording of a part, and --resume goes on."
)
def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; by custom, NAME.jsonl.zst.")],
    start: From = None,
    end: To = None,
    partitions: Partitions = None,
    namespace: Namespace = None,
    selectors: Terms = None,
    topics: Annotated[
        list[str] | None, typer.Option("-t", "--topic", help="A topic; may be repeated; without it, muster.events.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where FILE ends, however it came to end.")] = False,
    redact: Annotated[
        bool, typer.Option("--redact", help="Hide addresses and credentials, consistently; names stay.")
    ] = False,
    with_state: Annotated[
        bool,
        typer.Option(
            "--with-state", help="Put the state before --from, of the processor's changelog, into the header."
        ),
    ] = False,
    redact_key: Annotated[
        str | None,
        typer.Option(
            "--redact-key",
            envvar=KEY_VARIABLE,
            metavar="TEXT",
            help="Hide the same address as before by the same token; without it each recording has a key of its own.",
        ),
    ] = None,
    bundles: Bundles = None,
    servers: Servers = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """Record a range of the log, up to the present end, to replay it anywhere; nothing on the cluster changes.

    A recording is zstd-compressed lines of JSON: a header (cluster, topics, ranges, configuration), the records as
    `muster events cat -o json` prints them, the gaps, and a trailer with counts and a checksum; zstdcat reads it. Give
    the processor's own --config, or --set rules.… and --bundle, and the recording says by which rules and trust bundles
    it is to be replayed: it needs nothing else then.

    --redact hides, wherever they stand, and the same one always by the same token: IPv4 and IPv6 addresses (also as
    in ip-172-31-5-254.ec2.internal), MAC addresses, users and passwords in URLs, credentials by their name (password,
    token, secret, …) or their look (JWT, PEM, Bearer …). What stays: the records' keys, and so the names of namespaces,
    groups and workloads, even where they look like an address; ports; host names without an address in them; labels,
    versions, and who ordered what and why. An address that is written in no usual form (in hexadecimal, or as part of
    a longer word) is not seen: look at what you give away.

    For example:

      muster record night.jsonl.zst --from 02:00 --to 04:00

      muster record night.jsonl.zst --resume

      muster record for-the-vendor.jsonl.zst --from 1h --redact
    """
    selection = selected(start, end, partitions, namespace, of_fields(selectors))
    settings = settings_of(ProcessorSettings, "record", config, servers, assignments)
    known = settings.rules.model_dump() if "rules" in settings.model_fields_set else None
    known_bundles = bundles_of(bundles, settings)
    order = Order(
        topics=tuple(topics or [EVENTS]),
        selection=selection,
        first=start,
        last=end,
        rules=known,
        redactor=_redactor(redact_key, known_bundles) if redact else None,
        bundles=known_bundles,
        warn=lambda words: typer.echo(f"{file}: {words}", err=True),
    )
    if file.exists() and not resume:
        typer.echo(f"Error: {file} exists: --resume goes on with it; or give another name", err=True)
        raise typer.Exit(EXIT_WRONG)
    if with_state and (redact or resume):
        raise typer.BadParameter("--with-state: the state is not redacted, and a recording that is resumed has its own")
    ended: list[Trailer | None] = []

    async def run(stopping: asyncio.Event) -> None:
        nonlocal order
        if with_state:
            state = await unless_stopped(changelog_before(replace(selection, end=None), settings.kafka), stopping)
            order = replace(order, snapshot=state.model_copy(update={"rules": known or {}}))
        work = recorder.resume if resume else recorder.record
        with Meter("recording") as meter:
            ended.append(await work(file, settings.kafka, order, stopping, meter))

    with faults_told():
        shutdown.run(run)
        _tell(file, ended[0])


def _redactor(key: str | None, bundles: tuple[TrustBundle, ...]) -> Redactor:
    hidden_by = hashlib.sha256(key.encode()).digest() if key else secrets.token_bytes(32)
    return Redactor(hidden_by, Attestor([load(None), *bundles]))


def _tell(file: Path, trailer: Trailer | None) -> None:
    if trailer is None:
        typer.echo(f"{file} is complete already", err=True)
        return
    gaps = f", {trailer.gaps} gaps" if trailer.gaps else ""
    typer.echo(f"{file}: {trailer.records} records{gaps}, sha256 {trailer.sha256}", err=True)
    for one in trailer.reached:
        times = f", {one.first_time} to {one.last_time}" if one.records else ""
        typer.echo(f"  {one.topic}[{one.partition}]: offsets {one.start} to before {one.end}{times}", err=True)
    if not trailer.complete:
        typer.echo(f"interrupted: go on with muster record {file} --resume", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
