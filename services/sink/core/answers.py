"""What the plan tells a session, once: that it is registered, refused, or over (``muster.registrations``)."""

from schemas.registrations import Ended, EndReason, RefusalReason, Refused, Registered
from schemas.resource import WarSpec
from schemas.workloads import Workload
from services.sink.core.actions import Answered, AnswerSession
from services.sink.core.objects import War

Answers = tuple[AnswerSession, ...]
"""What is left to be told; empty where the session knows."""

_WORDS = {
    EndReason.DELETED: "the WorkloadAutoRegistration was deleted; join anew",
    EndReason.GRACE_EXPIRED: "the agent was away for longer than the grace period",
}


def register(workload: Workload, answer: Answered | None, war: War, spec: WarSpec) -> Answers:
    """Tell a session of its registration, unless it knows that one, or is over."""
    told = answer if answer is not None and answer.session == workload.session else None
    if isinstance(told, Ended) or (isinstance(told, Registered) and told.uid == war.uid):
        return ()
    return (
        AnswerSession(
            Registered(
                session=workload.session,
                namespace=war.namespace,
                name=war.name,
                uid=war.uid,
                snapshot=spec.workload_group,
                resource_version=war.resource_version,
            )
        ),
    )


def end(workload: Workload, answer: Answered | None, reason: EndReason) -> Answers:
    """Tell a session once that it has no registration any more, whatever it was told before."""
    if isinstance(answer, Ended) and answer.session == workload.session:
        return ()
    uid = answer.uid if isinstance(answer, Registered | Ended) else ""
    return (AnswerSession(Ended(session=workload.session, uid=uid, reason=reason, message=_WORDS[reason])),)


def refuse(
    workload: Workload,
    answer: Answered | None,
    message: str,
    reason: RefusalReason = RefusalReason.INVALID_OBJECT,
) -> Answers:
    """Tell a session why it has no registration; one that is over stays so."""
    refused = Refused(session=workload.session, reason=reason, message=message)
    if refused == answer or (isinstance(answer, Ended) and answer.session == workload.session):
        return ()
    return (AnswerSession(refused),)


def refuse_newcomer(workload: Workload, answer: Answered | None, message: str) -> Answers:
    """Tell a session whose object cannot be in Kubernetes; one that was registered keeps that."""
    if isinstance(answer, Registered) and answer.session == workload.session:
        return ()
    return refuse(workload, answer, message)
