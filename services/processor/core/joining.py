"""Who may begin a session: only who proves its identity, and takes the place of a living session only as its own heir.

Where the log names no trust bundle, nothing is verified and every connect supersedes: so were logs before version 0.2
(ADR 0007, ADR 0010).
"""

from dataclasses import replace

from schemas.codec import Rejection
from schemas.credentials import Proof
from schemas.events import AgentEvent, Connect, Disconnect, Heartbeat, Introduction
from schemas.rejected import RejectReason
from schemas.workloads import Presence, Reason
from services.identity.core.verdict import Refusal
from services.processor.core import roles
from services.processor.core.book import Book
from services.processor.core.chains import Commitment
from services.processor.core.packed import Proven, pack
from services.processor.core.record import Appended, Effect, Ignored, Rule
from services.processor.core.rows import WorkloadRow
from services.processor.core.trust import judge


def first(book: Book, record: Appended, event: AgentEvent, effects: list[Effect]) -> None:
    """Take an unknown workload in, if the event introduces it."""
    if isinstance(event, Disconnect) or event.workload is None:
        effects.append(Ignored(Rule.UNKNOWN_SESSION))
        return
    _join(book, record, event, event.workload, effects)


def another(book: Book, record: Appended, event: AgentEvent, effects: list[Effect], row: WorkloadRow) -> None:
    """Let a new session supersede the row's; one that was superseded itself changes nothing."""
    if event.session in row.superseded:
        effects.append(Ignored(Rule.SUPERSEDED_SESSION))
    elif isinstance(event, Disconnect) or event.workload is None:
        effects.append(Ignored(Rule.UNKNOWN_SESSION))
    else:
        _join(book, record, event, event.workload, effects)


def prove(book: Book, record: Appended, event: Connect | Heartbeat, effects: list[Effect], row: WorkloadRow) -> None:
    """Verify a session that began before the log named a trust bundle."""
    if event.workload is None or (proven := _proven(book, record, event, event.workload, effects)) is None:
        return
    key = record.key or b""
    workload, verified, chain = proven
    book.seat(row.key, event.seq)
    back = row.presence is not Presence.CONNECTED
    changed = replace(
        row,
        workload=pack(workload.to_json()),
        seq=event.seq,
        presence=Presence.CONNECTED,
        reason=Reason.ESTABLISHED,
        message="",
        since=record.timestamp if back else row.since,
        revision=record.offset,
        window=book.window,
        away=0,
        verified=verified,
        chain=chain,
        seated=None,
    )
    book.change(key, changed, effects)
    roles.ask(book, record, event, effects)


def _join(
    book: Book, record: Appended, event: Connect | Heartbeat, claimed: Introduction, effects: list[Effect]
) -> None:
    """Begin a session: of a workload new to the book, or superseding the one before."""
    key = record.key or b""
    if not book.belongs(key):
        words = f"{key.decode()} does not hash to partition {book.state.partition}: use Kafka's default partitioner"
        effects.append(book.reject(record, Rejection(RejectReason.WRONG_PARTITION, words)))
        return
    proven = _proven(book, record, event, claimed, effects)
    if proven is None:
        return
    workload, verified, chain = proven
    before = book.rows.get(key)
    if before is not None and not _may_supersede(before, event.proof):
        words = (
            f"session {before.session} lives under this identity, and the newcomer does not show the last link of its "
            "chain: it is another machine, or this one without its state file; it may join once that session is absent"
        )
        effects.append(book.reject(record, Rejection(RejectReason.DUPLICATE_IDENTITY, words)))
        return
    was_connected = before is not None and before.presence is Presence.CONNECTED
    kept = book.rules.superseded_kept
    told = roles.inherited(before, event.proof, workload)
    row = WorkloadRow(
        partition=book.state.partition,
        workload=pack((told or workload).to_json()),
        session=event.session,
        seq=event.seq,
        presence=Presence.CONNECTED,
        reason=Reason.ESTABLISHED,
        message="",
        since=before.since if before is not None and was_connected else record.timestamp,
        revision=record.offset,
        window=book.window,
        superseded=(*before.superseded, before.session)[-kept:] if before is not None else (),
        verified=verified,
        chain=chain,
        began=record.offset,
        inherited=told is not None,
        key=key if before is None else before.key,
    )
    book.seat(row.key, event.seq)
    book.chains.forget(key)
    book.change(key, row, effects)
    roles.ask(book, record, event, effects)


def _proven(
    book: Book, record: Appended, event: Connect | Heartbeat, claimed: Introduction, effects: list[Effect]
) -> tuple[Introduction, Proven | None, Commitment | None] | None:
    """Return the introduction with the identity that was proven, or None where it was not: the record is rejected."""
    if book.trusted is None:
        return claimed, None, None
    found = judge(book.trust, book.trusted, event, record.timestamp)
    if isinstance(found, Refusal) or event.proof is None:
        words = f"{found.reason}: {found.message}" if isinstance(found, Refusal) else "the event has no proof"
        effects.append(book.reject(record, Rejection(RejectReason.NOT_VERIFIED, words)))
        return None
    workload = claimed.model_copy(update={"identity": found.identity})
    return (
        workload,
        Proven.of(found.verified, record.timestamp),
        Commitment.of(event.proof.chain, event.seq, book.window),
    )


def _may_supersede(before: WorkloadRow, proof: Proof | None) -> bool:
    """Tell whether a proven newcomer may take a row's place: where somebody lives there, only as its heir."""
    living = before.presence in {Presence.CONNECTED, Presence.UNKNOWN}
    return not living or before.chain is None or before.continued_by(proof)
