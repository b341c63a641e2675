"""What a tick decides: who is absent, who is removed, and whether the roll call can be trusted at all.

A tick closes the window it names (DESIGN.md, rule 2). Told again after a crash it decides the same, even where
some of its rows were stored and others not: whoever it marked is still counted where it stood before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from schemas.events import Tick
from schemas.workloads import Presence, Reason
from services.processor.core.record import Appended, Effect, Emit, Ignored, Notice, NoticeKind, Rule, Store
from services.processor.core.rows import PartitionRow, encode, partition_key

if TYPE_CHECKING:
    from services.processor.core.roll import Roll


class _Mark(NamedTuple):
    """What becomes of the silent at one tick."""

    presence: Presence
    reason: Reason
    words: str


def close_window(roll: Roll, record: Appended, tick: Tick, effects: list[Effect]) -> None:
    """Close the open window, unless the tick names another one or comes too soon."""
    state = roll.state
    if tick.window != state.window:
        effects.append(Ignored(Rule.TICK_NOT_CURRENT))
        return
    # None: nothing is known of how long the first window was. Negative: the broker's clock went back.
    elapsed = None if state.opened is None else record.timestamp - state.opened
    if elapsed is not None and 0 <= elapsed * 2 < roll.rules.window_ms:
        effects.append(Ignored(Rule.TICK_TOO_SOON))
        return
    void = roll.void or elapsed is None or elapsed < 0
    missed, braked = _call(roll, record, effects, void=void)
    counted = not void and not braked
    rolls = state.rolls + counted
    if counted:
        _remove(roll, record, rolls, effects)
        _forget(roll, rolls, effects)
    roll.attendance.close(missed)
    roll.void = False
    roll.overridden = roll.overridden and void  # a void window decides nothing: the order waits for the next tick
    roll.state = PartitionRow(
        partition=state.partition,
        window=state.window + 1,
        rolls=rolls,
        opened=record.timestamp,
        revision=record.offset,
        resume=state.revision + 1,
        braked=braked,
        overridden=roll.overridden,
        missed={key.decode(): seen for key, seen in missed.items()},
    )
    effects.append(Store(partition_key(state.partition), encode(roll.state)))


def _call(
    roll: Roll, record: Appended, effects: list[Effect], *, void: bool
) -> tuple[dict[bytes, tuple[int, int]], bool]:
    """Mark who missed too many windows; return who is missing still, and whether the partition is braked."""
    step = 0 if void else 1
    missed: dict[bytes, tuple[int, int]] = {}
    due: dict[bytes, int] = {}
    for key, count, seq in roll.attendance.silent():
        if not void and count + step >= roll.rules.missed_windows:
            due[key] = seq
        else:
            missed[key] = (count + step, seq)
    if void:
        return missed, roll.braked
    waiting = len(due.keys() | roll.attendance.unknown)
    population = roll.attendance.population()
    braked = _brake(roll, waiting, population, effects)
    if braked:
        words = (
            f"{waiting} of {population} agents of partition {roll.state.partition} fell silent together; nobody is "
            "marked absent until they are back or an operator releases the brake"
        )
        _mark(roll, due, record, effects, _Mark(Presence.UNKNOWN, Reason.SUSPENDED, words))
    else:
        seconds = roll.rules.window_ms / 1000
        words = f"not heard of in {roll.rules.missed_windows} successive windows of {seconds:g} s"
        due |= {key: roll.rows[key].seq for key in sorted(roll.attendance.unknown - due.keys())}
        _mark(roll, due, record, effects, _Mark(Presence.ABSENT, Reason.MISSED_WINDOWS, words))
    return missed, braked


def _brake(roll: Roll, waiting: int, population: int, effects: list[Effect]) -> bool:
    """Decide whether so many fell silent that the observer is to be doubted (DESIGN.md, "Brake")."""
    rules = roll.rules
    if roll.braked:
        braked = waiting > rules.brake_release_share * population
    else:
        braked = waiting >= rules.brake_least and waiting > rules.brake_share * population
    braked = braked and not roll.overridden
    if braked != roll.braked:
        kind = NoticeKind.BRAKED if braked else NoticeKind.RELEASED
        effects.append(Notice(kind, f"window {roll.window}: {waiting} of {population} agents are silent"))
    return braked


def _mark(roll: Roll, due: dict[bytes, int], record: Appended, effects: list[Effect], mark: _Mark) -> None:
    """Change the presence of silent workloads; one whose row tells of this tick was stored before a crash."""
    for key, seq in due.items():
        roll.attendance.leave(key)
        if mark.presence is Presence.UNKNOWN:
            roll.attendance.unknown.add(key)
        else:
            roll.absent.setdefault(key, roll.state.rolls + 1)
        row = roll.rows[key]
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
            window=roll.window,
            away=roll.absent.get(key, 0),
        )
        roll.change(key, changed, effects)


def _remove(roll: Roll, record: Appended, rolls: int, effects: list[Effect]) -> None:
    """Remove whoever has been absent for the whole grace."""
    grace = roll.rules.grace_windows
    for key in sorted(key for key, away in roll.absent.items() if rolls - away >= grace):
        row = roll.rows[key]
        del roll.absent[key]
        roll.removed[key] = rolls
        changed = replace(
            row,
            presence=Presence.REMOVED,
            reason=Reason.GRACE_EXPIRED,
            message=f"absent for {grace} windows after: {row.message}",
            since=record.timestamp,
            revision=record.offset,
            window=roll.window,
            closed=True,
            away=rolls,
        )
        roll.change(key, changed, effects)


def _forget(roll: Roll, rolls: int, effects: list[Effect]) -> None:
    """Drop the rows of those removed long ago."""
    keep = roll.rules.forget_windows
    for key in sorted(key for key, removed in roll.removed.items() if rolls - removed >= keep):
        del roll.removed[key], roll.rows[key]
        effects.append(Emit(key, None))
        effects.append(Store(key, None))
