"""When so many are silent that the observer is doubted, and not the machines (ADR 0013).

Silence is judged over the whole grace: a cut that comes machine by machine is a cut. And doubt ends by what becomes of
those who fell silent: however many others join meanwhile, they say nothing of them.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NamedTuple

from schemas.workloads import Reason
from services.processor.core.book import Book
from services.processor.core.rows import PartitionRow


class Silence(NamedTuple):
    """Who is silent at one tick."""

    waiting: AbstractSet[bytes]
    """Who would be marked absent now, or is kept unknown by the brake."""
    lost: AbstractSet[bytes]
    """Who was marked absent for silence within the grace, and for whom no operator vouched since."""
    silent: int
    """How many are these, or would be marked absent at the next tick."""
    population: int
    """How many are connected, unknown or lost."""
    urgent: bool
    """Whether somebody is due now: to be marked absent, or to be removed."""


def silence(book: Book, due: AbstractSet[bytes], missed: Mapping[bytes, tuple[int, int]]) -> Silence:
    """Count the silent: ``due`` would be marked absent now, ``missed`` have missed so many windows, and not too many.

    A set is counted and not a sum: told again after a crash, some of those due stand among the absent already.
    """
    rules, state = book.rules, book.state
    waiting = due | book.attendance.unknown
    lost = {key for key in book.absent if _is_lost(book, key)}
    # Those who are due next: a cut falls inside a window, and who was not yet heard in it is due one window earlier.
    soon = {key for key, (count, _) in missed.items() if count + 1 >= rules.missed_windows}
    leaving = any(state.rolls + 1 - book.away(key) >= rules.grace_windows for key in lost)
    return Silence(
        waiting,
        lost,
        silent=len(waiting | soon | lost),
        population=len(book.attendance.expected() | lost),
        urgent=bool(waiting) or leaving,
    )


def _is_lost(book: Book, key: bytes) -> bool:
    """Tell whether an absent workload may be one whom the observer lost."""
    if book.rows[key].reason is not Reason.MISSED_WINDOWS or book.absent[key] <= book.state.vouched:
        return False
    return book.state.rolls - book.away(key) < book.rules.grace_windows


def judged(book: Book, found: Silence) -> PartitionRow:
    """Return the partition's row with what becomes of its brake at a tick that counts."""
    rules, state = book.rules, book.state
    if not state.braked:
        many = found.silent >= rules.brake_least and found.silent > rules.brake_share * found.population
        return replace(state, braked=True, doubted=found.silent) if found.urgent and many else state
    after = state.rolls + 1
    if book.overridden:
        return replace(state, braked=False, doubted=None, vouched=after)
    # A row from before ``doubted`` was remembered knows only how many there are.
    fell = found.population if state.doubted is None else state.doubted
    if len(found.waiting | found.lost) > rules.brake_release_share * fell:
        return state
    return replace(state, braked=False, doubted=None, anew=after)
