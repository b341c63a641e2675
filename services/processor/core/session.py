"""What an agent's event does to its workload: fenced by session and by sequence (DESIGN.md, rule 3; ADR 0003)."""

from dataclasses import replace

from schemas.codec import Rejection
from schemas.events import AgentEvent, Disconnect, Introduction
from schemas.rejected import RejectReason
from schemas.workloads import Presence, Reason
from services.processor.core.book import Book
from services.processor.core.record import Appended, Effect, Ignored, Rule
from services.processor.core.rows import WorkloadRow


def apply(book: Book, record: Appended, event: AgentEvent, effects: list[Effect]) -> None:
    """Apply a connect, heartbeat or disconnect that is not history."""
    key = record.key or b""
    row = book.rows.get(key)
    if row is None:
        _first(book, record, event, effects)
    elif record.offset <= row.revision:
        _again(book, key, record.offset, row)
    elif event.session != row.session:
        _other_session(book, record, event, effects, row)
    elif row.closed:
        effects.append(Ignored(Rule.ENDED_SESSION))
    else:
        highest = book.attendance.highest(key)
        if event.seq <= (row.seq if highest is None else highest):
            effects.append(Ignored(Rule.STALE_SEQUENCE))
        elif isinstance(event, Disconnect):
            _goodbye(book, record, event, effects, row)
        else:
            _here(book, record, event, effects, row)


def _first(book: Book, record: Appended, event: AgentEvent, effects: list[Effect]) -> None:
    """Take an unknown workload in, if the event introduces it."""
    if isinstance(event, Disconnect) or event.workload is None:
        effects.append(Ignored(Rule.UNKNOWN_SESSION))
        return
    _join(book, record, event, event.workload, effects)


def _again(book: Book, key: bytes, offset: int, row: WorkloadRow) -> None:
    """Put a workload whose row was already stored where its newest record put it; older ones say nothing."""
    if offset == row.revision:
        if row.presence is Presence.CONNECTED:
            book.attendance.enter(key, row.seq)
        else:
            book.attendance.leave(key)


def _other_session(book: Book, record: Appended, event: AgentEvent, effects: list[Effect], row: WorkloadRow) -> None:
    """Let a new session supersede the row's; one that was superseded itself changes nothing."""
    if event.session in row.superseded:
        effects.append(Ignored(Rule.SUPERSEDED_SESSION))
    elif isinstance(event, Disconnect) or event.workload is None:
        effects.append(Ignored(Rule.UNKNOWN_SESSION))
    else:
        _join(book, record, event, event.workload, effects)


def _join(book: Book, record: Appended, event: AgentEvent, workload: Introduction, effects: list[Effect]) -> None:
    """Begin a session: of a workload new to the book, or superseding the one before."""
    key = record.key or b""
    if not book.belongs(key):
        words = f"{key.decode()} does not hash to partition {book.state.partition}: use Kafka's default partitioner"
        effects.append(book.reject(record, Rejection(RejectReason.WRONG_PARTITION, words)))
        return
    before = book.rows.get(key)
    was_connected = before is not None and before.presence is Presence.CONNECTED
    kept = book.rules.superseded_kept
    row = WorkloadRow(
        partition=book.state.partition,
        workload=workload.to_json().decode(),
        session=event.session,
        seq=event.seq,
        presence=Presence.CONNECTED,
        reason=Reason.ESTABLISHED,
        message="",
        since=before.since if before is not None and was_connected else record.timestamp,
        revision=record.offset,
        window=book.window,
        superseded=(*before.superseded, before.session)[-kept:] if before is not None else (),
    )
    _seat(book, key, event.seq)
    book.change(key, row, effects)


def _here(book: Book, record: Appended, event: AgentEvent, effects: list[Effect], row: WorkloadRow) -> None:
    """Take an accepted sign of life of the current session."""
    key = record.key or b""
    workload = None if isinstance(event, Disconnect) else event.workload
    told = workload.to_json().decode() if workload is not None else row.workload
    if row.presence is Presence.CONNECTED and told == row.workload:
        book.attendance.sheet[key] = event.seq
        return
    back = row.presence is not Presence.CONNECTED
    _seat(book, key, event.seq)
    changed = replace(
        row,
        workload=told,
        seq=event.seq,
        presence=Presence.CONNECTED,
        reason=Reason.ESTABLISHED,
        message="",
        since=record.timestamp if back else row.since,
        revision=record.offset,
        window=book.window,
        away=0,
    )
    book.change(key, changed, effects)


def _seat(book: Book, key: bytes, seq: int) -> None:
    book.attendance.enter(key, seq)
    book.absent.pop(key, None)
    book.removed.pop(key, None)


def _goodbye(book: Book, record: Appended, event: Disconnect, effects: list[Effect], row: WorkloadRow) -> None:
    """End the session on purpose; one already absent stays so since then."""
    key = record.key or b""
    book.attendance.leave(key)
    away = book.absent.setdefault(key, book.state.rolls)
    changed = replace(
        row,
        seq=event.seq,
        presence=Presence.ABSENT,
        reason=Reason.DISCONNECTED,
        message=f"the agent said goodbye: {event.reason}",
        since=row.since if row.presence is Presence.ABSENT else record.timestamp,
        revision=record.offset,
        window=book.window,
        closed=True,
        away=away,
    )
    book.change(key, changed, effects)
