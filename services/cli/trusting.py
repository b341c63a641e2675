"""``--bundle``: the trust bundles that a log is judged with; a log that names another one cannot be replayed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import EXIT_USAGE
from services.identity.core.bundle import TrustBundle
from services.identity.given import GivenBundles
from services.identity.loading import BundleError, load
from services.processor.core.trust import Trust
from services.processor.settings import ProcessorSettings
from services.replay.attestation import Attested
from services.replay.recording import Header

Bundles = Annotated[
    list[Path] | None,
    typer.Option(
        "--bundle",
        metavar="DIR|FILE",
        help="A trust bundle that the log names, or a folder in which a processor keeps its own (trust.kept); may be "
        "repeated. Those of --config, a recording's and AWS's certificates alone are at hand anyway.",
    ),
]


def bundles_of(places: Sequence[Path] | None, settings: ProcessorSettings) -> tuple[TrustBundle, ...]:
    """Return the bundles given and the processor's own, or end the command with exit code 2."""
    trust = settings.trust
    own = [trust.bundle] if trust.bundle is not None else []
    kept = _kept(trust.kept) if trust.kept is not None else []
    try:
        given = [file for place in places or () for file in _kept(place) or [place]]
        return tuple(load(place) for place in (*given, *own, *kept))
    except BundleError as error:
        typer.echo(f"Error: --bundle: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


def _kept(folder: Path) -> list[Path]:
    """Return the bundles in a folder where a processor keeps those that were in force; none: it is no such folder."""
    return sorted(folder.glob("sha256-*.json"))


def trust_in(bundles: Sequence[TrustBundle], header: Header | None = None) -> Trust:
    """Return what a fold verifies identities by."""
    given = GivenBundles([load(None), *(header.bundles if header is not None else ()), *bundles])
    return Attested(given) if header is not None and header.redacted is not None else given
