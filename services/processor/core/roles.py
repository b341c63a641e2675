"""IAM roles: asked of STS outside the fold, applied in it, as a record of the log (ADR 0010)."""

from dataclasses import replace

from schemas.events import Connect, Heartbeat, RoleChecked
from schemas.identity import Identity
from schemas.workloads import Presence
from services.processor.core.book import Book
from services.processor.core.packed import pack
from services.processor.core.record import Appended, CheckRole, Effect, Ignored, Notice, NoticeKind, Rule


def ask(book: Book, key: bytes, event: Connect | Heartbeat, effects: list[Effect]) -> None:
    """Ask for the role that a proven session claims, if it is not known; each introduction asks again."""
    row = book.rows.get(key)
    if row is None or event.proof is None or event.proof.credential.iam_role is None or row.verified is None:
        return
    ec2 = row.introduction().identity.aws
    if ec2 is not None and ec2.ec2 is not None and ec2.ec2.iam_role is None:
        effects.append(CheckRole(key, event.session, event.proof.credential.iam_role))


def apply(book: Book, record: Appended, checked: RoleChecked, effects: list[Effect]) -> None:
    """Add a confirmed role to the verified identity of the session it was asked for."""
    key = checked.workload.encode()
    row = book.rows.get(key)
    if book.trusted is None or book.trust is None or not book.trust.signed(book.trusted, checked):
        effects.append(Ignored(Rule.ROLE_NOT_SIGNED))
        return
    if row is None or row.session != checked.session or row.presence is not Presence.CONNECTED:
        effects.append(Ignored(Rule.UNKNOWN_SESSION))
        return
    if record.offset <= row.revision:
        if record.offset == row.revision and row.seated:
            # Nothing but this: where it stood before the open window says its history.
            book.attendance.sheet[row.key] = row.seq
        return
    told = row.introduction()
    aws = told.identity.aws
    if checked.role is None or aws is None or aws.ec2 is None or aws.account != checked.account:
        why = checked.message or f"the role is of account {checked.account}, the machine of another"
        effects.append(Notice(NoticeKind.ROLE_REFUSED, f"{checked.workload}: {why}"))
        return
    if aws.ec2.iam_role == checked.role:
        return
    ec2 = aws.ec2.model_copy(update={"iam_role": checked.role})
    workload = told.model_copy(update={"identity": Identity(aws=aws.model_copy(update={"ec2": ec2}))})
    highest = book.attendance.highest(key)
    changed = replace(
        row,
        workload=pack(workload.to_json()),
        seq=row.seq if highest is None else highest,
        revision=record.offset,
        window=book.window,
        seated=key in book.attendance.sheet,
    )
    book.change(key, changed, effects)
