"""``muster identity``: what a credential proves, by which bundle."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from schemas.credentials import CredentialReason
from schemas.message import rfc3339
from services.cli import bundle as bundles
from services.cli import bundle_check
from services.cli import mint as mints
from services.cli.bundle import Output, OutputOption, loaded
from services.cli.credential_file import NoCredentialError, read
from services.cli.options import EXIT_USAGE, EXIT_WRONG
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import prove
from services.replay.moments import moment

app = typer.Typer(
    help="Say what a credential proves; make, show and check trust bundles; mint identities for development.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(bundles.app, name="bundle")
bundles.app.command(epilog=bundle_check.EXIT_CODES)(bundle_check.check)
app.command(epilog=mints.EXIT_CODES)(mints.mint)
app.command(epilog=mints.EXIT_CODES)(mints.issue)


@app.command(epilog="Exit codes: 0 it proves who is named; 1 it is refused, with the reason; 2 wrong usage or bundle.")
def verify(
    credential: Annotated[str, typer.Argument(metavar="FILE|-", help="A credential, an identity file or an event.")],
    bundle: Annotated[
        Path | None, typer.Option(metavar="PLACE", help="The trust bundle. [default: AWS's certificates]")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="As if it came then: an RFC 3339 time, 03:12, or 15m (ago).")
    ] = None,
    claims: Annotated[
        str | None, typer.Option(metavar="NAME", help="The identity it must prove. [default: what the file says]")
    ] = None,
    offline: bundles.Offline = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what a credential proves, as the processor would: by the same code and the same bundle.

    FILE is what an agent is given (`identity:`, `credential:`), a credential alone, or an event as `muster events cat
    -o raw` prints it; - is stdin. What is bound to a session is judged in that of the event; without one it may be of
    any. Nothing is written, and no Kafka is asked.

    For example:

      muster identity verify identity.json --bundle trust

      muster identity verify token --bundle trust --at 2026-11-23T03:12:00Z
    """
    try:
        then = moment(at, datetime.now(UTC)) if at is not None else datetime.now(UTC)
    except ValueError as fault:
        raise typer.BadParameter(f"--at {fault}") from None
    try:
        shown = read(credential)
    except NoCredentialError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    found = prove(loaded(bundle, offline=offline), shown.credential, then, shown.session)
    claimed = claims or (shown.claimed.name if shown.claimed is not None else None)
    if isinstance(found, Accepted) and claimed not in {None, found.identity.name}:
        words = f"it proves to be {found.identity.name}, and claims to be {claimed}"
        found = Refusal(CredentialReason.IDENTITY_MISMATCH, words)
    _tell(found, as_json=output is Output.JSON)
    if isinstance(found, Refusal):
        raise typer.Exit(EXIT_WRONG)


def _tell(found: Accepted | Refusal, *, as_json: bool) -> None:
    if isinstance(found, Refusal):
        refused = {"accepted": False, "reason": found.reason.value, "message": found.message}
        typer.echo(json.dumps(refused) if as_json else f"refused: {found.reason}: {found.message}")
        return
    if as_json:
        told = {"accepted": True, "name": found.identity.name}
        for name, part in (("identity", found.identity), ("verified", found.verified)):
            told[name] = json.loads(part.to_json())
        typer.echo(json.dumps(told))
        return
    attributes = found.identity.jwt.attributes if found.identity.jwt is not None else {}
    rows = {
        "identity": found.identity.name,
        **{f"attribute {name}": value for name, value in attributes.items()},
        "method": found.verified.method,
        "key": found.verified.key,
        "bundle": found.verified.bundle,
        "at": rfc3339(found.verified.at),
    }
    width = max(map(len, rows)) + 2
    for name, value in rows.items():
        typer.echo(f"{name.ljust(width)}{value}")
