"""The sink's one port to Kubernetes: narrow, so that a fake can be held to the same contract (tests/contract)."""

from collections.abc import AsyncIterator
from enum import Enum
from typing import Literal, NamedTuple, Protocol

from schemas import attempts, policies, resource
from services.sink.core.objects import Manifest


class KindOf(NamedTuple):
    """Where a kind is served."""

    group: str
    version: str
    plural: str


class Kind(Enum):
    """The kinds the sink reads and writes; of namespaces it only knows whether they are there."""

    NAMESPACE = KindOf("", "v1", "namespaces")
    GROUP = KindOf("networking.istio.io", "v1", "workloadgroups")
    WAR = KindOf(resource.GROUP, resource.API_VERSION, resource.PLURAL)
    ENTRY = KindOf("networking.istio.io", "v1", "workloadentries")
    POLICY = KindOf(policies.GROUP, policies.API_VERSION, policies.PLURAL)
    ATTEMPT = KindOf(attempts.GROUP, attempts.API_VERSION, attempts.PLURAL)


class Listed(NamedTuple):
    """All objects of a kind, and the resourceVersion from which a watch goes on."""

    items: list[Manifest]
    resource_version: str


class Seen(NamedTuple):
    """One event of a watch; a BOOKMARK's object has a resourceVersion only."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Manifest


class Exactly(NamedTuple):
    """One object in one version."""

    namespace: str
    name: str
    uid: str
    resource_version: str


class ClusterError(Exception):
    """Kubernetes did not do it; the text is its own words."""


class AlreadyExistsError(ClusterError):
    """There is an object of this name: look again."""


class ConflictError(ClusterError):
    """A precondition did not hold: look again."""


class NotFoundError(ClusterError):
    """The object or its namespace is not there: look again."""


class InvalidError(ClusterError):
    """The object itself is refused: trying again is of no use."""


class GoneError(ClusterError):
    """The resourceVersion is too old to watch from: list again."""


class UnavailableError(ClusterError):
    """It could not be asked, or will not answer now: wait. ``after_s`` is how long it asks to wait, or None."""

    def __init__(self, words: str, after_s: float | None = None) -> None:
        super().__init__(words)
        self.after_s = after_s


class Cluster(Protocol):
    """Reads and writes objects. Every method raises a ClusterError where Kubernetes does not do it."""

    async def list(self, kind: Kind) -> Listed:
        """Return all objects of all namespaces."""

    def watch(self, kind: Kind, resource_version: str) -> AsyncIterator[Seen]:
        """Yield what changes from there on, until the server ends the watch; GoneError where it is too old."""

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create an object; return it as it is stored."""

    async def update(self, kind: Kind, manifest: Manifest, *, status: bool = False) -> Manifest:
        """Replace an object, or only its status, if uid and resourceVersion are still those of the manifest."""

    async def delete(self, kind: Kind, which: Exactly) -> None:
        """Delete an object, if uid and resourceVersion are still these."""
