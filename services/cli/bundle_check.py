"""``muster identity bundle check``: whether a trust bundle can be used, today and in the time to come."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from services.cli.bundle import Offline, Output, OutputOption, Place, by_region, completed
from services.cli.options import EXIT_WRONG
from services.identity.core import signatures
from services.identity.core.bundle import TrustBundle
from services.identity.loading import BundleError, load

EXIT_CODES = (
    "Exit codes: 0 everything in it can be used; 1 it cannot be, or something in it has expired or cannot be reached "
    "(each is listed); 2 wrong usage."
)
SOON = timedelta(days=60)
"""A certificate that ends within this is told of."""


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
        bundle = completed(bundle, offline=offline)
        keyless = [one for one in bundle.issuers if not one.keys and not offline]
        told += [(True, f"{one.name}: no keys of {one.issuer} could be fetched") for one in keyless]
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
    for one in by_region(bundle):
        until = signatures.certificate(one.pem).not_valid_after_utc
        others = [other for other in by_region(bundle) if (other.region, other.method) == (one.region, one.method)]
        last = max(signatures.certificate(other.pem).not_valid_after_utc for other in others)
        if until == last and until <= now + SOON:
            words = f"the {one.method.value} certificate of {one.region}"
            over = until <= now
            yield over, f"{words} expired on {until:%F}" if over else f"{words} expires on {until:%F}"
