"""``muster identity bundle``: whose signatures are believed; what the processor is given, and a replay."""

import asyncio
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import EXIT_USAGE, EXIT_WRONG
from services.identity.core import signatures
from services.identity.core.bundle import Certificate, Issuer, TrustBundle
from services.identity.discovery import Discovery
from services.identity.loading import BundleError, load, template
from services.runtime import log
from services.runtime.config import LogSettings

app = typer.Typer(
    help="Make, show and check trust bundles: whose signatures are believed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Place = Annotated[Path | None, typer.Argument(metavar="PLACE", help="Folder or file. [default: what Muster brings]")]
Offline = Annotated[bool, typer.Option("--offline", help="Do not fetch the keys that issuers publish.")]


class Output(StrEnum):
    """Forms of output."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")]


def loaded(place: Path | None, *, offline: bool) -> TrustBundle:
    """Return a bundle with the keys its issuers publish; end the command where it cannot be used."""
    try:
        return completed(load(place), offline=offline)
    except BundleError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


def completed(bundle: TrustBundle, *, offline: bool) -> TrustBundle:
    """Return the bundle with the keys its issuers publish, unless nobody is to be asked."""
    if offline or not any(issuer.discovery for issuer in bundle.issuers):
        return bundle
    log.configure("identity", LogSettings())
    return asyncio.run(Discovery(patience_s=30).complete(bundle))


@app.command(epilog="Exit codes: 0 written; 1 there is one already, nothing was written; 2 wrong usage.")
def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.")]) -> None:
    """Begin a trust bundle: a folder with a trust.yaml that says what can stand in it.

    For example:

      muster identity bundle init trust
    """
    settings = folder / "trust.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with settings.open("x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        typer.echo(f"Error: {settings}: there is one already; nothing was written", err=True)
        raise typer.Exit(EXIT_WRONG) from None
    except OSError as cause:
        typer.echo(f"Error: {settings}: {cause.strerror}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    typer.echo(f"{settings}: written; edit it, then: muster identity bundle check {folder}")


@app.command(epilog="Exit codes: 0 shown; 2 wrong usage, or the bundle cannot be used.")
def show(place: Place = None, offline: Offline = False, output: OutputOption = Output.TABLE) -> None:
    """Show a bundle: its digest, certificates by region with their validity, issuers with their keys.

    With -o json it is the whole bundle as one file, with the keys that issuers publish now: what a replay of this day's
    log needs.

    For example:

      muster identity bundle show trust

      muster identity bundle show trust -o json > trust-2026-11-23.json
    """
    bundle = loaded(place, offline=offline)
    if output is Output.JSON:
        typer.echo(bundle.model_dump_json(indent=1))
        return
    typer.echo(f"digest      {bundle.digest}")
    typer.echo(f"audiences   {', '.join(bundle.audiences)}")
    typer.echo(f"EC2         {', '.join(bundle.ec2_methods) or 'no signature of a document counts'}")
    typer.echo(f"leeway      {bundle.leeway_seconds} s")
    typer.echo(f"processors  {', '.join(bundle.processors) or 'none: nobody may tell of IAM roles'}")
    typer.echo(f"operators   {', '.join(bundle.operators) or 'none of their own: the processors keys give orders'}")
    believed = "only as these keys signed it" if bundle.signed_control else "whoever may write to muster.events"
    typer.echo(f"believed    of ticks, takeovers, bundles and orders: {believed}\n")
    _table(("ISSUER", "KIND", "ISS", "ALGORITHMS", "KEYS"), map(_issuer_row, bundle.issuers))
    _table(("REGION", "SIGNATURE", "FROM", "UNTIL", "SHA-256"), map(_certificate_row, by_region(bundle)))


def by_region(bundle: TrustBundle) -> list[Certificate]:
    """Return the certificates that count."""
    return sorted(
        (one for one in bundle.certificates if one.method in bundle.ec2_methods),
        key=lambda one: (one.region, one.method),
    )


def _issuer_row(issuer: Issuer) -> tuple[str, ...]:
    keys = ", ".join(str(key.get("kid", "(no kid)")) for key in issuer.keys) or "none fetched"
    return issuer.name, issuer.kind.value, issuer.issuer, ", ".join(issuer.algorithms), keys


def _certificate_row(one: Certificate) -> tuple[str, ...]:
    found = signatures.certificate(one.pem)
    since, until = found.not_valid_before_utc, found.not_valid_after_utc
    fingerprint = signatures.fingerprint(one.pem).removeprefix("sha256:")[:16]
    return one.region, one.method.value, f"{since:%F}", f"{until:%F}", f"{fingerprint}…"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> None:
    cells = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    typer.echo()
