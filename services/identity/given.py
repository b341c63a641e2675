"""The trust bundles that somebody hands to a replay: a log that names another one cannot be judged with them."""

from collections.abc import Sequence
from datetime import datetime

from schemas.credentials import Credential
from schemas.identity import Identity
from services.identity.core.bundle import TrustBundle
from services.identity.core.keys import Keys, vouched
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import verify


class UnknownBundleError(Exception):
    """The log names a trust bundle that was not given: no verdict of this log can be known without it."""


class GivenBundles:
    """Trust bundles by their digest."""

    def __init__(self, bundles: Sequence[TrustBundle]) -> None:
        self._bundles = {bundle.digest: bundle for bundle in bundles}

    def verify(
        self, bundle: str, credential: Credential, claimed: Identity, at: datetime, session: str
    ) -> Accepted | Refusal:
        """Verify by the bundle of this digest. Raises UnknownBundleError where it was not given."""
        return verify(self._named(bundle), credential, claimed, at, session)

    def keys(self, bundle: str) -> Keys:
        """Return whose word counts by the bundle of this digest. Raises as ``verify``."""
        return self._named(bundle).keys

    def vouched(self, keys: Sequence[str], statement: bytes, signature: str) -> bool:
        """Tell whether one of the keys signed the statement."""
        return vouched(keys, statement, signature)

    def _named(self, digest: str) -> TrustBundle:
        if digest not in self._bundles:
            given = ", ".join(self._bundles) or "none"
            raise UnknownBundleError(f"the log names the trust bundle {digest}; given: {given}; add it with --bundle")
        return self._bundles[digest]
