"""What verification comes to."""

from typing import NamedTuple

from schemas.credentials import CredentialReason, Verified
from schemas.identity import Identity


class Accepted(NamedTuple):
    """The credential proves this identity."""

    identity: Identity
    verified: Verified


class Refusal(NamedTuple):
    """It does not, and why; the words say what was expected and what was found."""

    reason: CredentialReason
    message: str


class RefusedError(Exception):
    """Ends the verification of one credential; never leaves this package's core."""

    def __init__(self, reason: CredentialReason, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(reason, message)
