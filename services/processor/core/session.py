"""What an agent's event does to its workload: fenced by session and by sequence (DESIGN.md, rule 3; ADR 0003)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.codec import Rejection
from schemas.events import AgentEvent, Disconnect, Introduction
from schemas.rejected import RejectReason
from schemas.workloads import Presence, Reason
from services.processor.core.record import Appended, Effect, Ignored, Rule
from services.processor.core.rows import WorkloadRow

if TYPE_CHECKING:
    from services.processor.core.roll import Roll


def apply(roll: Roll, record: Appended, event: AgentEvent, effects: list[Effect]) -> None:
    """Apply a connect, heartbeat or disconnect that is not history."""
    key = record.key or b""
    row = roll.rows.get(key)
    if row is None:
        _first(roll, record, event, effects)
    elif record.offset <= row.revision:
        _again(roll, key, record.offset, row)
    elif event.session != row.session:
        _other_session(roll, record, event, effects, row)
    elif row.closed:
        effects.append(Ignored(Rule.ENDED_SESSION))
    else:
        highest = roll.attendance.highest(key)
        if event.seq <= (row.seq if highest is None else highest):
            effects.append(Ignored(Rule.STALE_SEQUENCE))
        elif isinstance(event, Disconnect):
            _goodbye(roll, record, event, effects, row)
        else:
            _here(roll, record, event, effects, row)


def _first(roll: Roll, record: Appended, event: AgentEvent, effects: list[Effect]) -> None:
    """Take an unknown workload in, if the event introduces it."""
    if isinstance(event, Disconnect) or event.workload is None:
        effects.append(Ignored(Rule.UNKNOWN_SESSION))
        return
    _join(roll, record, event, event.workload, effects)


def _again(roll: Roll, key: bytes, offset: int, row: WorkloadRow) -> None:
    """Put a workload whose row was already stored where its newest record put it; older ones say nothing."""
    if offset == row.revision:
        if row.presence is Presence.CONNECTED:
            roll.attendance.enter(key, row.seq)
        else:
            roll.attendance.leave(key)


def _other_session(roll: Roll, record: Appended, event: AgentEvent, effects: list[Effect], row: WorkloadRow) -> None:
    """Let a new session supersede the row's; one that was superseded itself changes nothing."""
    if event.session in row.superseded:
        effects.append(Ignored(Rule.SUPERSEDED_SESSION))
    elif isinstance(event, Disconnect) or event.workload is None:
        effects.append(Ignored(Rule.UNKNOWN_SESSION))
    else:
        _join(roll, record, event, event.workload, effects)


def _join(roll: Roll, record: Appended, event: AgentEvent, workload: Introduction, effects: list[Effect]) -> None:
    """Begin a session: of a workload new to the roll, or superseding the one before."""
    key = record.key or b""
    if not roll.belongs(key):
        words = f"{key.decode()} does not hash to partition {roll.state.partition}: use Kafka's default partitioner"
        effects.append(roll.reject(record, Rejection(RejectReason.WRONG_PARTITION, words)))
        return
    before = roll.rows.get(key)
    was_connected = before is not None and before.presence is Presence.CONNECTED
    kept = roll.rules.superseded_kept
    row = WorkloadRow(
        partition=roll.state.partition,
        workload=workload.to_json().decode(),
        session=event.session,
        seq=event.seq,
        presence=Presence.CONNECTED,
        reason=Reason.ESTABLISHED,
        message="",
        since=before.since if before is not None and was_connected else record.timestamp,
        revision=record.offset,
        window=roll.window,
        superseded=(*before.superseded, before.session)[-kept:] if before is not None else (),
    )
    _seat(roll, key, event.seq)
    roll.change(key, row, effects)


def _here(roll: Roll, record: Appended, event: AgentEvent, effects: list[Effect], row: WorkloadRow) -> None:
    """Take an accepted sign of life of the current session."""
    key = record.key or b""
    workload = None if isinstance(event, Disconnect) else event.workload
    told = workload.to_json().decode() if workload is not None else row.workload
    if row.presence is Presence.CONNECTED and told == row.workload:
        roll.attendance.sheet[key] = event.seq
        return
    back = row.presence is not Presence.CONNECTED
    _seat(roll, key, event.seq)
    changed = replace(
        row,
        workload=told,
        seq=event.seq,
        presence=Presence.CONNECTED,
        reason=Reason.ESTABLISHED,
        message="",
        since=record.timestamp if back else row.since,
        revision=record.offset,
        window=roll.window,
        away=0,
    )
    roll.change(key, changed, effects)


def _seat(roll: Roll, key: bytes, seq: int) -> None:
    roll.attendance.enter(key, seq)
    roll.absent.pop(key, None)
    roll.removed.pop(key, None)


def _goodbye(roll: Roll, record: Appended, event: Disconnect, effects: list[Effect], row: WorkloadRow) -> None:
    """End the session on purpose; one already absent stays so since then."""
    key = record.key or b""
    roll.attendance.leave(key)
    away = roll.absent.setdefault(key, roll.state.rolls)
    changed = replace(
        row,
        seq=event.seq,
        presence=Presence.ABSENT,
        reason=Reason.DISCONNECTED,
        message=f"the agent said goodbye: {event.reason}",
        since=row.since if row.presence is Presence.ABSENT else record.timestamp,
        revision=record.offset,
        window=roll.window,
        closed=True,
        away=away,
    )
    roll.change(key, changed, effects)
