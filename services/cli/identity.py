"""``muster identity``: what a credential proves, by which bundle; and a mint for development."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.credentials import CredentialReason
from schemas.message import rfc3339
from services.cli import bundle as bundles
from services.cli.bundle import Output, OutputOption, loaded
from services.cli.moments import duration, moment
from services.cli.options import EXIT_USAGE, EXIT_WRONG
from services.cli.shown import NoCredentialError, read
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import prove
from services.identity.issuing import Mint, machine, subject
from services.runtime.config import ConfigError

app = typer.Typer(
    help="Say what a credential proves; make, show and check trust bundles; mint identities for development.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(bundles.app, name="bundle")

TRUST = "trust.json"
"""The mint's trust bundle, in its folder."""
_MINTS = "Exit codes: 0 done; 2 wrong usage, or the folder is not a mint's."


class Issued(StrEnum):
    """Forms of a new credential."""

    IDENTITY = "identity"
    TOKEN = "token"  # noqa: S105 - the name of a form


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
    -o raw` prints it; - is stdin. Nothing is written, and no Kafka is asked.

    For example:

      muster identity verify identity.json --bundle trust

      muster identity verify identity.json --bundle trust --at 2026-11-23T03:12:00Z -o json
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
    found = prove(loaded(bundle, offline=offline), shown.credential, then)
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


@app.command(epilog=_MINTS)
def mint(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where its keys are, or will be made.")],
    regions: Annotated[
        list[str] | None, typer.Option("--region", help="It may sign for this AWS region. [default: us-east-2]")
    ] = None,
    audience: Annotated[str, typer.Option(help="For whom tokens are.")] = "muster",
) -> None:
    """Make keys of your own and the trust bundle that believes in them: for development and tests.

    It is a trust bundle like any other: verification has no switch, and who has the folder can be any machine of those
    regions. So never give its bundle to a processor that anybody depends on.

    For example:

      muster identity mint mint

      muster processor --set trust.bundle=mint/trust.json --set trust.role_key=mint/processor.key

      muster fleet 200 --issuer mint
    """
    made = _mint(folder)
    bundle = made.write_bundle(folder / TRUST, regions or ["us-east-2"], audience)
    typer.echo(f"{folder / TRUST}: {bundle.digest}")
    typer.echo(f"Whoever has {folder} can be any machine: for development only.", err=True)


@app.command(epilog=_MINTS)
def issue(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The mint's folder.")],
    instance: Annotated[
        str | None, typer.Option(metavar="ID", help="Be this EC2 instance, like i-1234567890abcdef0.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Its availability zone.")] = "us-east-2b",
    account: Annotated[str, typer.Option(help="Its account.")] = "123456789012",
    name: Annotated[str | None, typer.Option("--subject", metavar="NAME", help="Be the subject of a token.")] = None,
    claims: Annotated[
        list[str] | None, typer.Option("--claim", metavar="NAME=VALUE", help="A further claim; may be repeated.")
    ] = None,
    lasts: Annotated[str, typer.Option(metavar="TIME", help="How long the token is valid.")] = "1h",
    audience: Annotated[str, typer.Option(help="For whom the token is.")] = "muster",
    output: Annotated[Issued, typer.Option("-o", "--output", help="An agent's identity file, or a token.")] = (
        Issued.IDENTITY
    ),
) -> None:
    """Print a credential for one machine, signed by a mint: an identity file for `muster agent`.

    For example:

      muster identity issue mint --instance i-1234567890abcdef0 > identity.json

      muster agent --set identity.file=identity.json --set namespace=bookinfo --set workload_group=ratings

      muster identity issue mint --subject ann --claim team=core -o token > token
    """
    if (instance is None) == (name is None):
        raise typer.BadParameter("give one of --instance and --subject")
    if output is Issued.TOKEN and name is None:
        raise typer.BadParameter("-o token: only a --subject has a token")
    told = dict(claim.partition("=")[::2] for claim in claims or ())
    if not folder.is_dir():
        typer.echo(f"Error: {folder}: there is no mint; make one with: muster identity mint {folder}", err=True)
        raise typer.Exit(EXIT_USAGE)
    made = _mint(folder)
    try:
        if instance is not None:
            issued = machine(made, instance, zone, account)
        else:
            issued = subject(made, name or "", told, audience, duration(lasts).total_seconds())
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from None
    if output is Issued.TOKEN and issued.credential.jwt is not None:
        typer.echo(issued.credential.jwt.token)
    else:
        typer.echo(issued.to_json())


def _mint(folder: Path) -> Mint:
    try:
        return Mint(folder)
    except (ConfigError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
