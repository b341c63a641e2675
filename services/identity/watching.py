"""The trust bundle of a running processor: read again when it changes, without a restart."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from schemas.credentials import Credential
from schemas.identity import Identity
from services.identity.core.bundle import TrustBundle
from services.identity.core.keys import Keys, vouched
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import verify
from services.identity.loading import BundleError, load

EVERY_S = 2.0
Fetch = Callable[[TrustBundle], Awaitable[TrustBundle]]


class Bundles:
    """The newest bundle, and the one before as long as a partition may still be under it.

    A broken bundle changes nothing: what is wrong with it is said, and the one in force stays.
    """

    def __init__(self, place: Path | None, kept: Path | None = None) -> None:
        """Read the bundle once; what comes into force is kept in a folder, for replays.

        Raises BundleError where the bundle cannot be used.
        """
        self._place, self._kept = place, kept
        self.current = load(place)
        self._known = {self.current.digest: self.current}
        self._complaint = ""
        self._keep()

    def verify(
        self, bundle: str, credential: Credential, claimed: Identity, at: datetime, session: str
    ) -> Accepted | Refusal:
        """Verify by the bundle of this digest; by the newest where the log names one that is no longer at hand."""
        return verify(self._known.get(bundle, self.current), credential, claimed, at, session)

    def keys(self, bundle: str) -> Keys | None:
        """Return whose word counts by the bundle of this digest; None where it is not at hand."""
        known = self._known.get(bundle)
        return known.keys if known is not None else None

    def vouched(self, keys: Sequence[str], statement: bytes, signature: str) -> bool:
        """Tell whether one of the keys signed the statement."""
        return vouched(keys, statement, signature)

    def take(self, bundle: TrustBundle) -> None:
        """Put a bundle in force; what came before the last one is forgotten, so that nobody can call it back."""
        if bundle.digest == self.current.digest:
            return
        self._known = {self.current.digest: self.current, bundle.digest: bundle}
        self.current = bundle
        self._keep()
        structlog.get_logger().info(
            "a new trust bundle is in force",
            bundle=bundle.digest,
            issuers=[issuer.name for issuer in bundle.issuers],
            certificates=len(bundle.certificates),
        )

    def _keep(self) -> None:
        """Write the bundle in force where a replay finds it: the keys that issuers publish are gone tomorrow."""
        if self._kept is None:
            return
        file = self._kept / f"{self.current.digest.replace(':', '-')}.json"
        half = file.with_suffix(".new")
        try:
            self._kept.mkdir(parents=True, exist_ok=True)
            half.write_text(self.current.model_dump_json(indent=1), encoding="utf-8")
            half.replace(file)
        except OSError as cause:
            structlog.get_logger().error("the trust bundle cannot be kept", file=str(file), cause=cause.strerror)

    async def refresh(self, fetch: Fetch) -> None:
        """Read the bundle once more; ``fetch`` adds the keys that issuers publish."""
        try:
            self.take(await fetch(load(self._place)))
            self._complaint = ""
        except (BundleError, OSError) as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                structlog.get_logger().error(
                    "the trust bundle cannot be used; the one before stays in force", fault=self._complaint
                )

    async def watch(self, fetch: Fetch, every_s: float = EVERY_S) -> None:
        """Read the bundle again and again until cancelled."""
        while True:
            await self.refresh(fetch)
            await asyncio.sleep(every_s)
