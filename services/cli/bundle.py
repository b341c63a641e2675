"""``muster identity bundle``: whose signatures are believed; what the processor is given, and a replay."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.options import EXIT_USAGE, EXIT_WRONG
from services.identity.core import signatures
from services.identity.core.bundle import Certificate, Issuer, TrustBundle
from services.identity.discovery import Discovery
from services.identity.loading import BundleError, load
from services.runtime import log
from services.runtime.config import LogSettings

app = typer.Typer(
    help="Make, show and check trust bundles: whose signatures are believed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Place = Annotated[Path | None, typer.Argument(metavar="[PLACE]", help="Folder or file. [default: what Muster brings]")]
Offline = Annotated[bool, typer.Option("--offline", help="Do not fetch the keys that issuers publish.")]
SOON = timedelta(days=60)
"""A certificate that ends within this is told of."""


class Output(StrEnum):
    """Forms of output."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")]

TEMPLATE = """\
# Whose signatures this Muster believes. Beside it, AWS's certificates of all regions are part of Muster.
# Give the folder to the processor (trust.bundle) and to a replay (--bundle); a running processor reads it again
# whenever it changes. Look at it with: muster identity bundle check

# A token must be meant for one of these.
audiences: [muster]

# Which signatures of an EC2 instance identity document count: rsa2048, pkcs7, signature. The last two are RSA-1024.
# Further certificates of a region: ec2/rsa2048/REGION.pem, or REGION.anything.pem beside AWS's own.
ec2_methods: [rsa2048]

# So much the clocks of an issuer and of the broker may differ.
leeway_seconds: 30

# Who signs tokens. `name` is short, and stands in names: jwt-<name>--<subject>.
issuers: []
#  - name: corp
#    issuer: https://login.corp.example        # the claim `iss`
#    algorithms: [RS256, ES256]
#    discovery: true                           # its keys, from <issuer>/.well-known/openid-configuration;
#    # jwks: corp.jwks                         # or from a file here; or in place, as `keys:`
#    attributes: {team: $.team}                # name: JSONPath of a claim
#  - {name: google, kind: gcp, issuer: https://accounts.google.com, discovery: true}
#  - {name: entra, kind: azure, issuer: https://sts.windows.net/<tenant>/, discovery: true}

# Ed25519 public keys, in base64, of the processors that ask STS for IAM roles.
processors: []
"""


def loaded(place: Path | None, *, offline: bool) -> TrustBundle:
    """Return a bundle with the keys its issuers publish; end the command where it cannot be used."""
    try:
        return _completed(load(place), offline=offline)
    except BundleError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


def _completed(bundle: TrustBundle, *, offline: bool) -> TrustBundle:
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
            file.write(TEMPLATE)
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
    typer.echo(f"processors  {', '.join(bundle.processors) or 'none: nobody may tell of IAM roles'}\n")
    _table(("ISSUER", "KIND", "ISS", "ALGORITHMS", "KEYS"), map(_issuer_row, bundle.issuers))
    _table(("REGION", "SIGNATURE", "FROM", "UNTIL", "SHA-256"), map(_certificate_row, _by_region(bundle)))


def _by_region(bundle: TrustBundle) -> list[Certificate]:
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


@app.command(
    epilog="Exit codes: 0 everything in it can be used; 1 it cannot be, or something in it has expired or cannot be "
    "reached (each is listed); 2 wrong usage."
)
def check(place: Place = None, offline: Offline = False, output: OutputOption = Output.TABLE) -> None:
    """Check that a bundle can be used, that no certificate has expired, and that the issuers' keys can be had.

    What ends within 60 days is told of too, and is no fault yet.

    For example:

      muster identity bundle check trust

      muster identity bundle check trust --offline -o json
    """
    try:
        bundle = load(place)
        told = list(_faults(bundle, datetime.now(UTC)))
        if not offline:
            bundle = asyncio.run(Discovery(patience_s=30).complete(bundle))
            told += [
                (True, f"{one.name}: no keys of {one.issuer} could be fetched")
                for one in bundle.issuers
                if not one.keys
            ]
        digest = bundle.digest
    except BundleError as error:
        told, digest = [(True, str(error))], None
    wrong = any(fault for fault, _words in told)
    if output is Output.JSON:
        answer: dict[str, Any] = {"digest": digest, "fine": not wrong}
        answer |= {"faults": [w for f, w in told if f], "warnings": [w for f, w in told if not f]}
        typer.echo(json.dumps(answer))
    else:
        for fault, words in told:
            typer.echo(f"{'Error' if fault else 'Soon'}: {words}", err=True)
        typer.echo(f"{place or 'what Muster brings'}: {digest or 'cannot be used'}")
    if wrong:
        raise typer.Exit(EXIT_WRONG)


def _faults(bundle: TrustBundle, now: datetime) -> Iterator[tuple[bool, str]]:
    """Yield whether it is a fault by now, and what it is, of each certificate that counts."""
    for one in _by_region(bundle):
        until = signatures.certificate(one.pem).not_valid_after_utc
        others = [other for other in _by_region(bundle) if (other.region, other.method) == (one.region, one.method)]
        last = max(signatures.certificate(other.pem).not_valid_after_utc for other in others)
        if until == last and until <= now + SOON:
            words = f"the {one.method.value} certificate of {one.region}"
            over = until <= now
            yield over, f"{words} expired on {until:%F}" if over else f"{words} expires on {until:%F}"
