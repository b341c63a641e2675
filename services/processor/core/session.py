"""What an agent's event does to its workload: fenced by session and by sequence (DESIGN.md, rule 3; ADR 0003).

Who begins a session, and whether it may take the place of a living one, is decided in ``joining``.
"""

from dataclasses import replace

from schemas.codec import Rejection
from schemas.events import AgentEvent, Disconnect, Heartbeat, Introduction
from schemas.rejected import RejectReason
from schemas.workloads import Presence, Reason
from services.processor.core import joining, roles
from services.processor.core.book import Book
from services.processor.core.chains import RENEWAL_WINDOWS, Commitment
from services.processor.core.packed import pack
from services.processor.core.record import Appended, Effect, Ignored, Rule
from services.processor.core.rows import WorkloadRow


def apply(book: Book, record: Appended, event: AgentEvent, effects: list[Effect]) -> None:
    """Apply a connect, heartbeat or disconnect that is not history."""
    key = record.key or b""
    row = book.rows.get(key)
    if row is None:
        joining.first(book, record, event, effects)
    elif record.offset <= row.revision:
        _again(book, key, record.offset, row)
    elif event.session != row.session:
        joining.another(book, record, event, effects, row)
    elif row.closed:
        effects.append(Ignored(Rule.ENDED_SESSION))
    else:
        _own(book, record, event, effects, row)


def _again(book: Book, key: bytes, offset: int, row: WorkloadRow) -> None:
    """Put a workload whose row was already stored where its newest record put it; older ones say nothing."""
    if offset == row.revision and row.seated is None:
        if row.presence is Presence.CONNECTED:
            book.attendance.enter(row.key, row.seq)
        else:
            book.attendance.leave(key)


def _own(book: Book, record: Appended, event: AgentEvent, effects: list[Effect], row: WorkloadRow) -> None:
    """Take an event of the living session: once, and only if it shows the link of the session's chain."""
    key = record.key or b""
    highest = book.attendance.highest(key)
    if event.seq <= (row.seq if highest is None else highest):
        effects.append(Ignored(Rule.STALE_SEQUENCE))
        return
    link = event.link if isinstance(event, Heartbeat | Disconnect) else None
    if row.chain is not None and not book.chains.shown(key, row.chain, event.seq, link):
        words = f"event {event.seq} does not show the link of the chain that its session began with"
        effects.append(book.reject(record, Rejection(RejectReason.FORGED_LINK, words)))
        return
    if isinstance(event, Disconnect):
        _goodbye(book, record, event, effects, row)
        return
    if isinstance(event, Heartbeat) and event.chain is not None and row.chain is not None:
        if event.seq > row.chain.seq and book.window < row.chain.window + RENEWAL_WINDOWS:
            words = f"the session renewed its chain in window {row.chain.window}: once in {RENEWAL_WINDOWS} windows"
            effects.append(book.reject(record, Rejection(RejectReason.FORGED_LINK, words)))
            return
        row = replace(row, chain=Commitment.of(event.chain, event.seq, book.window, link))
        book.chains.forget(key)
        book.keep(key, row, effects)
    if event.proof is not None:
        roles.ask(book, record, event, effects)
    told = _told(event.workload, row)
    if book.trusted is not None and row.verified is None and event.workload is not None:
        joining.prove(book, record, event, effects, row)
    elif row.presence is Presence.CONNECTED and told == row.workload:
        book.attendance.sheet[row.key] = event.seq
    else:
        _here(book, record, event, effects, replace(row, workload=told))


def _told(workload: Introduction | None, row: WorkloadRow) -> bytes:
    """Return the introduction as it is now, packed: what was verified of it stays what it was."""
    if workload is None:
        return row.workload
    told = workload.to_json()
    if told == row.text():
        return row.workload
    if row.verified is not None:
        told = workload.model_copy(update={"identity": row.introduction().identity}).to_json()
    return pack(told)


def _here(book: Book, record: Appended, event: AgentEvent, effects: list[Effect], row: WorkloadRow) -> None:
    """Take an accepted sign of life of the current session that changes something."""
    key = record.key or b""
    book.seat(row.key, event.seq)
    changed = replace(
        row,
        seq=event.seq,
        presence=Presence.CONNECTED,
        reason=Reason.ESTABLISHED,
        message="",
        since=row.since if row.presence is Presence.CONNECTED else record.timestamp,
        revision=record.offset,
        seated=None,
        window=book.window,
        away=0,
    )
    book.change(key, changed, effects)


def _goodbye(book: Book, record: Appended, event: Disconnect, effects: list[Effect], row: WorkloadRow) -> None:
    """End the session on purpose; one already absent stays so since then."""
    key = record.key or b""
    book.attendance.leave(key)
    book.chains.forget(key)
    away = book.absent.setdefault(row.key, book.state.rolls)
    changed = replace(
        row,
        seq=event.seq,
        presence=Presence.ABSENT,
        reason=Reason.DISCONNECTED,
        message=f"the agent said goodbye: {event.reason}",
        since=row.since if row.presence is Presence.ABSENT else record.timestamp,
        revision=record.offset,
        seated=None,
        window=book.window,
        closed=True,
        away=away,
    )
    book.change(key, changed, effects)
