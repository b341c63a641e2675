"""The port to a source of identity, and what it hands over."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from schemas.credentials import Credential
from schemas.events import Address, AddressType
from schemas.identity import Identity

_TIMEOUT_S = 5.0
"""How long a heartbeat waits for the credential to be read again."""


class IdentityError(Exception):
    """The source answered, but what it says is no identity; the text says where, what and what to do."""


class NotYet(Exception):  # noqa: N818 - it is a state of the source rather than an error
    """The source does not answer as it should; time may mend it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as its source of identity describes it; None is what that source cannot know."""

    identity: Identity
    addresses: tuple[Address, ...] = ()
    connected_over: AddressType | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    istio_version: str | None = None
    credential: Credential | None = field(default=None, repr=False)
    """What proves the identity; without it nobody is admitted."""


class IdentitySource(Protocol):
    """A place that knows who the machine is, and can prove it."""

    async def obtain(self) -> Machine:
        """Return the machine, waiting as long as the source is not there; raise ``IdentityError`` on nonsense.

        There is no session yet: what it shows is of none.
        """

    async def renew(self, session: str) -> Machine:
        """Return it as it is now, in one attempt; raise ``NotYet`` or ``IdentityError`` where that fails.

        Its credential is for this session alone, where the source has such.
        """


class Wallet:
    """The credential as it is now, or the last one known where the source cannot be asked."""

    def __init__(self, source: IdentitySource, machine: Machine) -> None:
        self._source = source
        self._machine = machine

    async def credential(self, session: str) -> Credential | None:
        """Return it for this session, in bounded time; an agent goes on with the last one known, and says so."""
        log = structlog.get_logger()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                found = await self._source.renew(session)
        except (NotYet, IdentityError, TimeoutError) as cause:
            why = str(cause) or f"no answer in {_TIMEOUT_S:g} s"
            log.warning("the credential cannot be read again; the last one known is shown", reason=why)
            return self._machine.credential
        if found.identity.name != self._machine.identity.name:
            words = "the source of identity now names another machine; restart the agent if that is so"
            log.warning(words, was=self._machine.identity.name, now=found.identity.name)
        self._machine = found
        return found.credential
