"""The port to a source of identity, and what it hands over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from schemas.events import Address, AddressType
from schemas.identity import Identity


class IdentityError(Exception):
    """The source answered, but what it says is no identity; the text says where, what and what to do."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What could prove an identity: the document's exact bytes, and signatures over them by their name.

    Nothing checks it yet, and it is not sent: every registration says ``IdentityVerified=False`` until one does.
    """

    document: bytes
    signatures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as its source of identity describes it; None is what that source cannot know."""

    identity: Identity
    addresses: tuple[Address, ...] = ()
    connected_over: AddressType | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    istio_version: str | None = None
    credential: Credential | None = None


class IdentitySource(Protocol):
    """A place that knows who the machine is."""

    async def obtain(self) -> Machine:
        """Return the machine, waiting as long as the source is not there; raise ``IdentityError`` on nonsense."""
