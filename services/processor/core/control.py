"""Which records speak for the processor or for an operator: those that the keys in force signed, each once (ADR 0014).

Agents may write to the same topic. Where the bundle in force demands it, a tick, a takeover, a bundle, an order or a
role counts only with a signature, and so only in its partition; a tick names its window and a role its session, all
others say where their writer saw the log's end, so that a copy of one is known for what it is.
"""

from hashlib import sha256
from typing import TypedDict

from schemas.codec import Rejection
from schemas.events import ControlEvent, Override, Resumed, RoleChecked, Tick, Trusted
from schemas.rejected import RejectReason
from services.identity.core.keys import Keys
from services.processor.core.book import Book
from services.processor.core.record import Appended, Effect, Ignored, Notice, NoticeKind, Rule
from services.processor.core.trust import NoTrustError

LATE_WINDOWS = 8
"""A signed record counts until so many windows closed since its writer looked at the log: time enough for the slowest
writer, and as long as what counted is remembered, to know a copy of it."""


class Closed(TypedDict):
    """What a partition's row keeps of this."""

    keys: Keys
    ticks: tuple[int, ...]
    obeyed: dict[str, int]


def admitted(book: Book, record: Appended, event: ControlEvent, effects: list[Effect]) -> bool:
    """Tell whether a record counts; where it does not, it is rejected, or ignored as a copy."""
    keys = _judges(book, event)
    if isinstance(event, RoleChecked) and not keys.control:
        if _signed(book, event, keys.processors):
            return True
        effects.append(Ignored(Rule.ROLE_NOT_SIGNED))
        return False
    if not keys.control:
        return True
    if (fault := _fault(book, record, event, keys)) is not None:
        words = f"a record of type {event.type} {fault}: nothing of it counts"
        effects.append(book.reject(record, Rejection(RejectReason.FORGED_CONTROL, words)))
        return False
    if isinstance(event, Resumed | Trusted | Override) and not _first(book, event):
        effects.append(Ignored(Rule.STALE_CONTROL))
        return False
    return True


def trust(book: Book, record: Appended, event: Trusted, effects: list[Effect]) -> None:
    """Put the bundle in force that the log names, if it is at hand."""
    book.named = event.bundle
    keys = book.trust.keys(event.bundle) if book.trust is not None else Keys()
    if keys is None:
        words = f"the trust bundle {event.bundle} is not at hand: are all workers given the same?"
        effects.append(book.reject(record, Rejection(RejectReason.UNKNOWN_BUNDLE, words)))
        return
    if event.bundle != book.trusted:
        words = f"identities are verified by the trust bundle {event.bundle} from here on"
        effects.append(Notice(NoticeKind.TRUSTED, words))
    book.trusted, book.keys = event.bundle, keys


def closed(book: Book, offset: int) -> Closed:
    """Return what is to be kept with the tick at this offset; what may be forgotten then is."""
    if book.keys.control:
        ticks = (*book.state.ticks, offset)[-LATE_WINDOWS:]
        book.obeyed = {said: after for said, after in book.obeyed.items() if not _late(after, ticks)}
        return Closed(keys=book.keys, ticks=ticks, obeyed=dict(book.obeyed))
    book.obeyed = {}
    return Closed(keys=book.keys, ticks=(), obeyed={})


def _judges(book: Book, event: ControlEvent) -> Keys:
    """Return the keys by which a record is judged: those in force; of a bundle that is the first to demand any, its."""
    if book.keys.control or not isinstance(event, Trusted):
        return book.keys
    if book.trust is None:
        if event.signature is not None:
            raise NoTrustError(f"the log names the trust bundle {event.bundle}: give it with --bundle")
        return book.keys
    return book.trust.keys(event.bundle) or book.keys


def _fault(book: Book, record: Appended, event: ControlEvent, keys: Keys) -> str | None:
    if not isinstance(event, Tick | RoleChecked) and (event.after is None or event.after > record.offset):
        return "does not say where its writer saw the end of the log"
    if isinstance(event, Override):
        return None if _signed(book, event, keys.of_operators()) else "is not signed by a key of an operator"
    return None if _signed(book, event, keys.processors) else "is not signed by a key of a processor"


def _signed(book: Book, event: ControlEvent, keys: tuple[str, ...]) -> bool:
    if not event.signature or not keys:
        return False
    if book.trust is None:
        raise NoTrustError("the log has signed records: give its trust bundle with --bundle")
    return book.trust.vouched(keys, event.statement(book.state.partition), event.signature)


def _first(book: Book, event: Resumed | Trusted | Override) -> bool:
    """Tell whether this was not said before, and not too long ago to be sure of that; remember it if so."""
    said, after = sha256(event.statement(book.state.partition)).hexdigest()[:32], event.after or 0
    if said in book.obeyed or _late(after, book.state.ticks):
        return False
    book.obeyed[said] = after
    return True


def _late(after: int, ticks: tuple[int, ...]) -> bool:
    """Tell whether whoever saw the log end at ``after`` had not seen the oldest of the newest ticks."""
    return len(ticks) == LATE_WINDOWS and after <= ticks[0]
