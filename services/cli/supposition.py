"""``--what-if``: the settings that are supposed, and where they differ from those of the log."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from schemas.credentials import Credential
from schemas.identity import Identity
from schemas.message import complaint
from services.cli.options import EXIT_USAGE
from services.identity.core.bundle import TrustBundle
from services.identity.core.keys import Keys
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import verify
from services.identity.given import UnknownBundleError
from services.identity.loading import BundleError, load
from services.processor.core.rules import Rules
from services.processor.core.trust import Trust
from services.processor.settings import RulesSettings

NEVER = 2**31 - 1
"""So many workloads no partition has: the brake does not hold."""
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000}
_RULES = {one.name for one in fields(Rules)}

WhatIf = Annotated[
    list[str] | None,
    typer.Option(
        "--what-if",
        metavar="KEY=VALUE,…",
        help="Say which verdicts would have been otherwise: missed_windows=5, grace_windows=…, window=5s, brake=off, "
        "bundle=DIR|FILE, or any other of the rules; may be repeated, and all hold together.",
    ),
]


@dataclass(frozen=True)
class Supposition:
    """What is supposed to be otherwise."""

    words: str
    changes: dict[str, str]
    bundle: TrustBundle | None = None

    def rules(self, those: Rules) -> Rules:
        """Return the rules with the changes, or end the command with exit code 2."""
        try:
            return RulesSettings.model_validate({**asdict(those), **self.changes}).rules()
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or 'the rules'}: {complaint(fault)}"
                for fault in error.errors(include_url=False)
            )
            typer.echo(f"Error: --what-if {self.words}: {faults}", err=True)
            raise typer.Exit(EXIT_USAGE) from None

    def trust(self, that: Trust) -> Trust:
        """Return what identities would have been verified by."""
        trust = Instead(self.bundle, that) if self.bundle is not None else that
        return Recomputed(trust) if "window_ms" in self.changes else trust


class Recomputed:
    """Asks for no signed control records: nobody signed a recomputed tick (ADR 0014), whatever the log has."""

    def __init__(self, that: Trust) -> None:
        self.verify, self.vouched = that.verify, that.vouched
        self._that = that

    def keys(self, bundle: str) -> Keys | None:
        """Return whose word counts of roles."""
        keys = self._that.keys(bundle)
        return replace(keys, control=False) if keys is not None else None


class Instead:
    """Verifies by one bundle, whichever the log names; whose word counts in the log stays as it was."""

    def __init__(self, bundle: TrustBundle, that: Trust) -> None:
        self._bundle, self._that = bundle, that

    def verify(
        self, bundle: str, credential: Credential, claimed: Identity, at: datetime, session: str
    ) -> Accepted | Refusal:
        """Verify by the supposed bundle."""
        del bundle
        return verify(self._bundle, credential, claimed, at, session)

    def keys(self, bundle: str) -> Keys | None:
        """Return the keys of the bundle that the log names; of the supposed one, where that was not given."""
        try:
            return self._that.keys(bundle)
        except UnknownBundleError:
            return self._bundle.keys

    def vouched(self, keys: Sequence[str], statement: bytes, signature: str) -> bool:
        """Tell whether one of the keys signed the statement."""
        return self._that.vouched(keys, statement, signature)


def supposition_of(texts: list[str] | None) -> Supposition | None:
    """Return what the options suppose; None: nothing. Ends the command with exit code 2."""
    if not texts:
        return None
    found = Supposition(", ".join(part.strip() for text in texts for part in text.split(",")), {})
    for text in found.words.split(", "):
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"--what-if {text}: expected KEY=VALUE, like missed_windows=5 or window=5s")
        found = _with(found, name.strip(), value.strip())
    return found


def _with(found: Supposition, name: str, value: str) -> Supposition:
    match name:
        case "window":
            length = _LENGTH.fullmatch(value)
            if length is None:
                raise typer.BadParameter(f"--what-if window={value}: expected a length like 5s or 500ms")
            changes = {"window_ms": str(round(float(length[1]) * _MILLISECONDS[length[2]]))}
        case "brake":
            if value != "off":
                raise typer.BadParameter(f"--what-if brake={value}: expected off; or give brake_share, brake_least")
            changes = {"brake_least": str(NEVER)}
        case "bundle":
            try:
                return replace(found, bundle=load(Path(value)))
            except BundleError as error:
                raise typer.BadParameter(f"--what-if bundle={value}: {error}") from None
        case _:
            name = name.removeprefix("rules.")
            if name not in _RULES:
                known = ", ".join(("window", "brake", "bundle", *sorted(_RULES)))
                raise typer.BadParameter(f"--what-if {name}: there is no such rule; expected one of {known}")
            changes = {name: value}
    return replace(found, changes={**found.changes, **changes})
