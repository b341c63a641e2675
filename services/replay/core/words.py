"""Why a state changed, in words: what an operator reads at night."""

from schemas.codec import Rejection
from schemas.events import Disconnect, Event, Heartbeat, Introduction
from schemas.workloads import Presence, Reason
from services.processor.core.record import Rule
from services.processor.core.rows import WorkloadRow
from services.processor.core.rules import Rules
from services.replay.core.windows import Windows

RULES = {
    Rule.SUPERSEDED_SESSION: "a newer session took over",
    Rule.UNKNOWN_SESSION: "the session never introduced itself",
    Rule.ENDED_SESSION: "the session said goodbye or was removed",
    Rule.STALE_SEQUENCE: "its seq is not above the highest heard: redelivered or overtaken",
}
"""What the rules mean that may ignore a workload's record."""

BEFORE_THE_LOG = "began before the log's start and has not introduced itself since: accepted or not, nobody can tell"


def record_type(event: Event | Rejection) -> str:
    """Return the type of an event; ``record`` of what is none."""
    return "record" if isinstance(event, Rejection) else event.type


def machine(introduction: Introduction) -> str:
    """Return the agent's version and the machine's addresses."""
    registration = introduction.registration
    addresses = [f"{address.ip} {address.type}" for address in registration.host.addresses]
    return ", ".join([f"agent {registration.agent.version}", *addresses])


def joined(
    event: Event, number: int, introduction: Introduction, before: WorkloadRow | None, *, hidden: bool = False
) -> str:
    """Say how a session began; ``hidden``: what was before the log's start is not known."""
    if hidden and before is None and isinstance(event, Heartbeat):
        return f"session {number} is introduced here first ({machine(introduction)}): it began before the log's start"
    words = f"session {number} begins ({machine(introduction)})"
    if isinstance(event, Heartbeat):
        words += " with the introduction in a heartbeat"
    if before is None:
        return words
    if before.presence is Presence.CONNECTED:
        return f"{words} and takes over from session {number - 1}, which was connected"
    return f"{words} after session {number - 1}, which was {before.presence}"


def heard(event: Event, before: WorkloadRow, told: Introduction) -> str:
    """Say what an accepted event of the row's own session changed."""
    if isinstance(event, Disconnect):
        return f"the agent said goodbye: {event.reason}"
    if before.presence is not Presence.CONNECTED:
        return f"heard of again, in the same session; it was {before.presence}"
    known = before.introduction()
    if machine(known) != machine(told):
        return f"registration changed: {machine(known)} → {machine(told)}"
    return "registration changed"


def judged(before: WorkloadRow, after: WorkloadRow | None, missed: Windows, rules: Rules) -> str:
    """Say what a tick decided, and by which count."""
    if after is None:
        return f"removed for {rules.forget_windows} counted windows: nothing is remembered of it from here on"
    if after.presence is Presence.REMOVED:
        return f"absent for {rules.grace_windows} of {rules.grace_windows} counted windows of grace"
    noun = "window" if len(missed) == 1 else "windows"
    count = f"missed {noun} {missed}: {len(missed)} of {rules.missed_windows}"
    if after.reason is Reason.SUSPENDED:
        return f"{count}, but the partition is braked: {after.message}"
    if before.presence is Presence.UNKNOWN:
        return f"the brake was released and it is still silent ({count})"
    return count
