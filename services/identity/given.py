"""The trust bundles that somebody hands to a replay: a log that names another one cannot be judged with them."""

from collections.abc import Sequence
from datetime import datetime

from schemas.credentials import Credential
from schemas.events import RoleChecked
from schemas.identity import Identity
from services.identity.core.bundle import TrustBundle
from services.identity.core.roles import signed
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import verify


class UnknownBundleError(Exception):
    """The log names a trust bundle that was not given: no verdict of this log can be known without it."""


class GivenBundles:
    """Trust bundles by their digest."""

    def __init__(self, bundles: Sequence[TrustBundle]) -> None:
        self._bundles = {bundle.digest: bundle for bundle in bundles}

    def verify(self, bundle: str, credential: Credential, claimed: Identity, at: datetime) -> Accepted | Refusal:
        """Verify by the bundle of this digest. Raises UnknownBundleError where it was not given."""
        return verify(self._named(bundle), credential, claimed, at)

    def signed(self, bundle: str, checked: RoleChecked, partition: int) -> bool:
        """Tell whether a processor that the bundle knows signed the outcome. Raises as ``verify``."""
        return signed(self._named(bundle), checked, partition)

    def _named(self, digest: str) -> TrustBundle:
        if digest not in self._bundles:
            given = ", ".join(self._bundles) or "none"
            raise UnknownBundleError(f"the log names the trust bundle {digest}; given: {given}; add it with --bundle")
        return self._bundles[digest]
