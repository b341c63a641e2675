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
        help="A trust bundle that the log names; may be repeated. The one of --config, a recording's own and that of "
        "AWS's certificates alone are at hand anyway.",
    ),
]


def bundles_of(places: Sequence[Path] | None, settings: ProcessorSettings) -> tuple[TrustBundle, ...]:
    """Return the bundles given and the processor's own, or end the command with exit code 2."""
    own = settings.trust.bundle
    try:
        return tuple(load(place) for place in (*(places or ()), *((own,) if own is not None else ())))
    except BundleError as error:
        typer.echo(f"Error: --bundle: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


def trust_in(bundles: Sequence[TrustBundle], header: Header | None = None) -> Trust:
    """Return what a fold verifies identities by."""
    given = GivenBundles([load(None), *(header.bundles if header is not None else ()), *bundles])
    return Attested(given) if header is not None and header.redacted is not None else given
