"""One refusal, as a value: of a verified workload by the sink, or of a claim by the processor (``muster.rejected``)."""

from datetime import datetime
from typing import NamedTuple

from schemas.attempts import FailedClause, Standing
from schemas.registrations import RefusalReason, Refused
from schemas.rejected import Rejected, RejectReason
from schemas.workloads import Presence, Workload
from services.sink.core.actions import Answered
from services.sink.core.admission import RefusedBy, admit
from services.sink.core.claim import Claimant, read
from services.sink.core.plan import Observed

MOST_WORDS = 1024
_BY_PROCESSOR = {
    RejectReason.NOT_VERIFIED: (Standing.UNVERIFIED, RefusalReason.NOT_VERIFIED),
    RejectReason.DUPLICATE_IDENTITY: (Standing.DUPLICATE, RefusalReason.DUPLICATE_IDENTITY),
}
"""Of an event that could be taken; all others could not, but one."""
_NO_ATTEMPT = RejectReason.FORGED_LINK
"""It is of a session that is there: it is counted where it is rejected."""


class Refusal(NamedTuple):
    """Who was refused, why, and by which record of ``muster.events`` the attempt was made."""

    who: Claimant
    standing: Standing
    session: str
    reason: RefusalReason
    message: str
    at: datetime
    """Broker time of that record."""
    partition: int
    revision: int
    """Its offset."""
    failed: FailedClause | None = None

    @property
    def answer(self) -> Refused:
        """What its session is told."""
        return Refused(session=self.session, reason=self.reason, message=self.message)


def by_sink(workload: Workload, answer: Answered | None, observed: Observed) -> Refusal | None:
    """Return why a workload that is there is refused, as its session was told; None where it is not."""
    living = workload.presence in (Presence.CONNECTED, Presence.UNKNOWN)
    if not isinstance(answer, Refused) or answer.session != workload.session or not living or not observed.namespace:
        return None
    verified = workload.verified
    return Refusal(
        who=Claimant.of(workload.workload),
        standing=Standing.UNVERIFIED if verified is None else Standing.VERIFIED,
        session=workload.session,
        reason=answer.reason,
        message=answer.message[:MOST_WORDS],
        at=workload.since if verified is None else verified.at,
        partition=workload.partition,
        revision=workload.revision,
        failed=_failed(workload, observed) if answer.reason is RefusalReason.NOT_ALLOWED else None,
    )


def by_processor(letter: Rejected) -> Refusal | None:
    """Return the refusal that a record of ``muster.rejected`` tells of; None where it is no attempt to join."""
    claim = read(letter.key, letter.value)
    if letter.reason is _NO_ATTEMPT or claim is None:
        return None
    untaken = letter.reason not in _BY_PROCESSOR
    standing, reason = _BY_PROCESSOR.get(letter.reason, (Standing.UNVERIFIED, RefusalReason.INVALID_EVENT))
    return Refusal(
        who=claim.who,
        standing=standing,
        session=claim.session,
        reason=reason,
        message=(f"{letter.reason}: {letter.message}" if untaken else letter.message)[:MOST_WORDS],
        at=letter.timestamp,
        partition=letter.partition,
        revision=letter.offset,
    )


def _failed(workload: Workload, observed: Observed) -> FailedClause | None:
    verdict = admit(workload, observed.group, observed.policies, namespace=observed.namespace)
    if not isinstance(verdict, RefusedBy) or verdict.denied is None or not verdict.denied.policy:
        return None
    denied = verdict.denied
    clause, expected, received = (one[:MOST_WORDS] for one in (denied.clause, denied.expected, denied.received))
    return FailedClause(policy=denied.policy, clause=clause, expected=expected, received=received)
