"""Who tried to join: as an introduction says, or as far as a record that the processor could not take can be read.

Reading is total: whatever the bytes, it ends in what could be read, or in None. The record's key says whose it is, for
that is where its agent listens; of the body counts what does not contradict the key.
"""

from typing import Annotated, Any, NamedTuple, Self

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from schemas.events import Address, Introduction
from schemas.identity import Identity
from schemas.message import Message, Session
from schemas.names import MAX_NAME, WorkloadKey, cut, parse_key

MOST_KEY = 4096
"""A longer key is nobody's: a name that Kubernetes takes is far shorter, and answers are kept by it."""


class Claimant(NamedTuple):
    """Who tried to join what; ``identity`` is None where it cannot be read."""

    key: WorkloadKey
    identity: Identity | None
    addresses: tuple[Address, ...] = ()

    @classmethod
    def of(cls, who: Introduction) -> Self:
        """Return who introduced itself."""
        return cls(who.key, who.identity, who.registration.host.addresses)

    @property
    def name(self) -> str:
        """The identity's part of the key as it is shown: at full length where it is one that can be read."""
        return self.key.identity if self.identity is not None else cut(self.key.identity, MAX_NAME)


class Claim(NamedTuple):
    """A record by which a session was to begin."""

    who: Claimant
    session: str


def read(key: bytes | None, value: bytes | None) -> Claim | None:
    """Return what can be read of a record of ``muster.events``; None where it tells of no attempt to join."""
    whose = parse_key(key) if key is not None and len(key) <= MOST_KEY else None
    if whose is None or value is None:
        return None
    try:
        event = _Event.model_validate_json(value)
    except ValidationError:
        return None
    if event.type != "connect" and event.workload is None:
        return None  # a heartbeat or a goodbye of a session that is there, or never was
    told = event.workload or _Introduced()
    identity = told.identity if told.identity is not None and told.identity.name == whose.identity else None
    return Claim(Claimant(whose, identity, (told.registration or _Registration()).host.addresses), event.session)


def _if_readable(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - any JSON
    try:
        return handler(value)
    except ValidationError:
        return None


_Readable = WrapValidator(_if_readable)
"""What cannot be read of a part says nothing of the others."""


class _Host(Message):
    addresses: tuple[Address, ...] = ()


class _Registration(Message):
    host: _Host = _Host()


class _Introduced(Message):
    identity: Annotated[Identity | None, _Readable] = None
    registration: Annotated[_Registration | None, _Readable] = None


class _Event(Message):
    """An event of which only this must be so: an object that names a session."""

    type: Annotated[str | None, _Readable] = None
    session: Session
    workload: Annotated[_Introduced | None, _Readable] = None
