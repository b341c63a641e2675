"""``muster identity mint`` and ``issue``: identities of one's own, for development; verified as anybody's are."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import EXIT_USAGE
from services.identity.issuing import Mint, machine, subject
from services.replay.moments import duration
from services.runtime.config import ConfigError

TRUST = "trust.json"
"""The mint's trust bundle, in its folder."""
EXIT_CODES = "Exit codes: 0 done; 2 wrong usage, or the folder is not a mint's."


class Issued(StrEnum):
    """Forms of a new credential."""

    IDENTITY = "identity"
    TOKEN = "token"  # noqa: S105 - the name of a form


def mint(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where its keys are, or will be made.")],
    regions: Annotated[
        list[str] | None, typer.Option("--region", help="It may sign for this AWS region. [default: us-east-2]")
    ] = None,
    audience: Annotated[str, typer.Option(help="For whom tokens are.")] = "muster",
) -> None:
    r"""Make keys of your own and the trust bundle that believes in them: for development and tests.

    It is a trust bundle like any other: verification has no switch, and who has the folder can be any machine of those
    regions. So never give its bundle to a processor that anybody depends on.

    For example:

      muster identity mint mint

      muster processor --set trust.bundle=mint/trust.json \
        --set trust.key=mint/processor.key

      muster fleet 200 --issuer mint
    """
    made = _mint(folder)
    bundle = made.write_bundle(folder / TRUST, regions or ["us-east-2"], audience, signed_control=True)
    typer.echo(f"{folder / TRUST}: {bundle.digest}")
    typer.echo(f"Whoever has {folder} can be any machine: for development only.", err=True)


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

      muster agent --config agent.yaml --set identity.file=identity.json

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
