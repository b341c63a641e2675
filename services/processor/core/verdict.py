"""What a tick decides: who is absent, who is removed, and whether the roll call can be trusted at all.

A tick closes the window it names (DESIGN.md, rule 2). Told again after a crash it decides the same, even where
some of its rows were stored and others not: whoever it marked is still counted where it stood before.
"""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from schemas.events import Tick
from schemas.workloads import Presence, Reason
from services.processor.core import control, doubt, orders
from services.processor.core.book import Book
from services.processor.core.doubt import Silence
from services.processor.core.record import Appended, Effect, Emit, Ignored, Notice, NoticeKind, Rule, Store
from services.processor.core.rows import encode, partition_key


class _Mark(NamedTuple):
    """What becomes of the silent at one tick."""

    presence: Presence
    reason: Reason
    words: str


def close_window(book: Book, record: Appended, tick: Tick, effects: list[Effect]) -> None:
    """Close the open window, unless the tick names another one or comes too soon."""
    state = book.state
    if tick.window != state.window:
        effects.append(Ignored(Rule.TICK_NOT_CURRENT))
        return
    # None: nothing is known of how long the first window was. Negative: the broker's clock went back.
    elapsed = None if state.opened is None else record.timestamp - state.opened
    if elapsed is not None and 0 <= elapsed * 2 < book.rules.window_ms:
        effects.append(Ignored(Rule.TICK_TOO_SOON))
        return
    void = book.void or elapsed is None or elapsed < 0
    missed = _call(book, record, effects, void=void)
    counted = not void and not book.braked
    rolls = state.rolls + counted
    if counted:
        _remove(book, record, rolls, effects)
        _forget(book, rolls, effects)
    book.attendance.close(missed)
    book.void = False
    book.overridden = book.overridden and void  # a void window decides nothing: the order waits for the next tick
    book.state = replace(
        book.state,
        window=state.window + 1,
        rolls=rolls,
        opened=record.timestamp,
        revision=record.offset,
        resume=state.revision + 1,
        trust=book.trusted,
        **control.closed(book, record.offset),
        overridden=book.overridden,
        held=dict(book.held),
        missed={key.decode(): seen for key, seen in missed.items()},
    )
    effects.append(Store(partition_key(state.partition), encode(book.state)))


def _call(book: Book, record: Appended, effects: list[Effect], *, void: bool) -> dict[bytes, tuple[int, int]]:
    """Mark who missed too many windows, as the brake has it; return who is missing still."""
    step = 0 if void else 1
    missed: dict[bytes, tuple[int, int]] = {}
    due: dict[bytes, int] = {}
    for key, count, seq in book.attendance.silent():
        if not void and count + step >= book.rules.missed_windows:
            due[key] = seq
        else:
            missed[key] = (count + step, seq)
    return missed if void else _mark_silent(book, record, effects, due, missed)


def _mark_silent(
    book: Book, record: Appended, effects: list[Effect], due: dict[bytes, int], missed: dict[bytes, tuple[int, int]]
) -> dict[bytes, tuple[int, int]]:
    """Mark those who are due as the brake has it."""
    unknown = set(book.attendance.unknown)
    found = doubt.silence(book, due.keys(), missed)
    was = book.braked
    if _brake(book, found, effects):
        words = (
            f"{found.silent} of {found.population} agents of partition {book.state.partition} fell silent together; "
            "nobody is marked absent until they are back or an operator releases the brake"
        )
        told = {key: seq for key, seq in due.items() if key not in unknown}
        _mark(book, told, record, effects, _Mark(Presence.UNKNOWN, Reason.SUSPENDED, words))
        return missed
    if was and not book.overridden:
        # Silence under the brake proved nothing, and most are back: the others have as long to come back as anybody.
        return missed | {key: (0, due.get(key, book.rows[key].seq)) for key in sorted(found.waiting)}
    seconds = book.rules.window_ms / 1000
    words = f"not heard of in {book.rules.missed_windows} successive windows of {seconds:g} s"
    if was:
        due |= {key: book.rows[key].seq for key in sorted(unknown - due.keys())}
    _mark(book, due, record, effects, _Mark(Presence.ABSENT, Reason.MISSED_WINDOWS, words))
    return missed


def _brake(book: Book, found: Silence, effects: list[Effect]) -> bool:
    """Decide whether so many fell silent that the observer is to be doubted, and say so where that changes."""
    was = book.braked
    book.state = doubt.judged(book, found)
    if book.braked != was:
        kind = NoticeKind.BRAKED if book.braked else NoticeKind.RELEASED
        words = f"window {book.window}: {found.silent} of {found.population} agents are silent"
        effects.append(Notice(kind, words))
    return book.braked


def _mark(book: Book, due: dict[bytes, int], record: Appended, effects: list[Effect], mark: _Mark) -> None:
    """Change the presence of silent workloads; one whose row tells of this tick was stored before a crash."""
    for key, seq in due.items():
        book.attendance.leave(key)
        if mark.presence is Presence.UNKNOWN:
            book.attendance.unknown.add(key)
        else:
            book.absent.setdefault(key, book.state.rolls + 1)
        row = book.rows[key]
        if row.revision >= record.offset:
            continue
        changed = replace(
            row,
            seq=seq,
            presence=mark.presence,
            reason=mark.reason,
            message=mark.words,
            since=record.timestamp,
            revision=record.offset,
            window=book.window,
            seated=None,
            away=book.absent.get(key, 0),
        )
        book.change(key, changed, effects)


def _remove(book: Book, record: Appended, rolls: int, effects: list[Effect]) -> None:
    """Remove whoever has been absent for the whole grace."""
    grace = book.rules.grace_windows
    spared: Counter[str] = Counter()
    for key in sorted(key for key in book.absent if rolls - book.away(key) >= grace):
        row = book.rows[key]
        if (scope := orders.holding(book, key)) is not None:
            spared[scope] += rolls - book.away(key) == grace  # told when it would have been removed, and not again
            continue
        del book.absent[key]
        book.removed[key] = rolls
        changed = replace(
            row,
            presence=Presence.REMOVED,
            reason=Reason.GRACE_EXPIRED,
            message=f"absent for {grace} windows after: {row.message}",
            since=record.timestamp,
            revision=record.offset,
            window=book.window,
            seated=None,
            closed=True,
            away=rolls,
        )
        book.change(key, changed, effects)
    for scope, count in sorted(spared.items()):
        if count:
            words = f"window {book.window}: {count} not removed: {orders.described(scope, book.held[scope])}"
            effects.append(Notice(NoticeKind.HELD, words))


def _forget(book: Book, rolls: int, effects: list[Effect]) -> None:
    """Drop the rows of those removed long ago."""
    keep = book.rules.forget_windows
    for key in sorted(key for key, removed in book.removed.items() if rolls - removed >= keep):
        del book.removed[key], book.rows[key]
        effects.append(Emit(key, None))
        effects.append(Store(key, None))
