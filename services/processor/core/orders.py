"""What an operator's order does to a partition: release its brake, hold removals, resume them.

A hold is a function of the log: it begins with its record, outlives every owner in the partition's row, and only
keeps from being removed. Grace is counted on, so whoever was away for too long is removed at the tick that follows.
"""

from schemas.events import Override, OverrideAction
from services.processor.core.book import Book
from services.processor.core.record import Appended, Effect, Notice, NoticeKind
from services.processor.core.rows import EVERYTHING, Hold


def obey(book: Book, record: Appended, order: Override, effects: list[Effect]) -> None:
    """Do what the order says, and say so."""
    match order.action:
        case OverrideAction.RELEASE_BRAKE:
            # An order found nothing to release must not disarm a later brake.
            book.overridden = book.braked
        case OverrideAction.HOLD_REMOVALS:
            book.held[order.scope or EVERYTHING] = Hold(order.who, order.why, record.timestamp)
        case OverrideAction.RESUME_REMOVALS if order.scope is None:
            book.held.clear()
        case OverrideAction.RESUME_REMOVALS:
            book.held.pop(order.scope, None)
    of = f" of {order.scope}" if order.scope is not None else ""
    words = f"{order.action}{of} by {order.who}: {order.why}"
    if order.action is OverrideAction.RESUME_REMOVALS and (still := book.held.get(EVERYTHING)) is not None:
        words += f"; {described(EVERYTHING, still)} as before"
    effects.append(Notice(NoticeKind.OVERRIDDEN, words))


def holding(book: Book, key: bytes) -> str | None:
    """Return the scope of the hold that keeps a workload from being removed, or None."""
    if EVERYTHING in book.held:
        return EVERYTHING
    group = key.rpartition(b"/")[0].decode()
    return group if group in book.held else None


def described(scope: str, hold: Hold) -> str:
    """Return a hold in words."""
    of = "" if scope == EVERYTHING else f" of {scope}"
    return f"removals{of} are held by {hold.who}: {hold.why}"
