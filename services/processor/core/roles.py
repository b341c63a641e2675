"""IAM roles: asked of STS outside the fold, applied in it, as a record of the log (ADR 0010).

A role is of the session that it was asked for, and of those which the same machine goes on with: who shows the last
link of the session before has its role until STS says otherwise. STS that cannot be reached says nothing.
"""

from dataclasses import replace

from schemas.credentials import Proof
from schemas.events import Connect, Heartbeat, Introduction, RoleChecked
from schemas.identity import AwsIdentity, Identity
from schemas.workloads import Presence
from services.processor.core.book import Book
from services.processor.core.packed import pack
from services.processor.core.record import Appended, CheckRole, Effect, Ignored, Notice, NoticeKind, Rule
from services.processor.core.rows import WorkloadRow


def ask(book: Book, record: Appended, event: Connect | Heartbeat, effects: list[Effect]) -> None:
    """Ask for the role that a proven session claims, if it is not known of it; each introduction asks again."""
    key = record.key or b""
    row = book.rows.get(key)
    if row is None or event.proof is None or event.proof.credential.iam_role is None or row.verified is None:
        return
    aws = row.introduction().identity.aws
    if aws is not None and aws.ec2 is not None and (aws.ec2.iam_role is None or row.inherited):
        effects.append(CheckRole(key, event.session, event.proof.credential.iam_role, record.offset))


def inherited(before: WorkloadRow | None, proof: Proof | None, workload: Introduction) -> Introduction | None:
    """Return a proven introduction with the role of the session that it goes on with; None: it has none to go on with.

    Only a machine that still claims a role keeps it, and one that was removed joins as anybody does.
    """
    aws = workload.identity.aws
    if before is None or before.verified is None or before.presence is Presence.REMOVED or aws is None:
        return None
    if proof is None or proof.credential.iam_role is None or not before.continued_by(proof):
        return None
    known = before.introduction().identity.aws
    if known is None or known.ec2 is None or known.ec2.iam_role is None:
        return None
    return _with_role(workload, aws, known.ec2.iam_role)


def apply(book: Book, record: Appended, checked: RoleChecked, effects: list[Effect]) -> None:
    """Take what STS said of the session that it was asked for: a role is added, or one that it denies is taken away."""
    key = checked.workload.encode()
    row = book.rows.get(key)
    if row is None or row.session != checked.session or row.presence is not Presence.CONNECTED:
        effects.append(Ignored(Rule.UNKNOWN_SESSION))
        return
    if record.offset <= row.revision:
        if record.offset == row.revision and row.seated:
            # Nothing but this: where it stood before the open window says its history.
            book.attendance.enter(row.key, row.seq)
        return
    if not _is_news(row, checked):
        effects.append(Ignored(Rule.STALE_CONTROL))
        return
    _take(book, record, checked, effects, row)


def _is_news(row: WorkloadRow, checked: RoleChecked) -> bool:
    """Tell whether it was asked for this very session, and not before what was answered already: a copy never is.

    Where neither row nor record say when (older than this), it counts as it did.
    """
    if checked.asked is None or row.began is None:
        return checked.asked is None and row.began is None
    return checked.asked >= row.began and checked.asked > row.answered


def _take(book: Book, record: Appended, checked: RoleChecked, effects: list[Effect], row: WorkloadRow) -> None:
    told = row.introduction()
    aws = told.identity.aws
    if aws is None or aws.ec2 is None:
        return
    role = checked.role if aws.account == checked.account else None
    if role is None:
        why = checked.message or f"the role is of account {checked.account}, the machine of another"
        effects.append(Notice(NoticeKind.ROLE_REFUSED, f"{checked.workload}: {why}"))
        if not checked.answered:
            return
    answered = row.answered if checked.asked is None else checked.asked
    if aws.ec2.iam_role == role:
        book.keep(row.key, replace(row, inherited=False, answered=answered), effects)
        return
    known = book.attendance.highest(row.key)
    highest = row.seq if known is None else known
    if row.key in book.attendance.sheet:
        # In no other place: this row tells no successor what it missed before.
        book.attendance.enter(row.key, highest)
    changed = replace(
        row,
        workload=pack(_with_role(told, aws, role).to_json()),
        seq=highest,
        revision=record.offset,
        window=book.window,
        seated=row.key in book.attendance.sheet,
        inherited=False,
        answered=answered,
    )
    book.change(row.key, changed, effects)


def _with_role(told: Introduction, aws: AwsIdentity, role: str | None) -> Introduction:
    ec2 = aws.ec2.model_copy(update={"iam_role": role}) if aws.ec2 is not None else None
    return told.model_copy(update={"identity": Identity(aws=aws.model_copy(update={"ec2": ec2}))})
