"""Whether a verdict was deserved: by what the broker had heard of a workload, and by what its machine really did."""

from collections.abc import Callable

from schemas.codec import decode_event
from schemas.events import Connect, Heartbeat, Override
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from schemas.workloads import Presence, Workload
from tests.sim.breach import Broken, name_of
from tests.sim.processors import RULES
from tests.sim.windows import Windows
from tests.sim.world import World

Living = Callable[[], dict[bytes, Workload]]
"""Returns who of the partition was connected or unknown just before a verdict, in which state."""


def check(world: World, windows: Windows, key: bytes, state: Workload, living: Living) -> None:
    """Check that one who is said to be silent was, for as many windows as the rules ask for."""
    if state.revision in windows.void:
        raise Broken(f"void window: {name_of(key)} became {state.presence} at offset {state.revision}", key)
    due = RULES.missed_windows + (RULES.grace_windows if state.presence is Presence.REMOVED else 0)
    last = None if _over(state) else heard(world, key, state)
    if last is not None and (missed := windows.missed(last, state.revision)) < due:
        words = f"became {state.presence} at {state.revision}, heard of at {last}: it missed {missed} windows of {due}"
        raise Broken(f"false verdict: {name_of(key)} {words}", key)
    if state.presence is Presence.ABSENT:
        _doubted(world, windows, key, state, living())


def _over(state: Workload) -> bool:
    return state.presence is Presence.REMOVED and "goodbye" in state.message


def heard(world: World, key: bytes, state: Workload) -> int | None:
    """Return the offset of the last sign of life of a session before its state; None where there was none.

    What is not newer than something before it says nothing: duplicates, latecomers. Nor does what was forged.
    """
    last, highest = None, -1
    for record in world.log.part(EVENTS, state.partition).records[: state.revision]:
        if record.key == key and (state.partition, record.offset) not in world.intruders.forged:
            event = decode_event(record.key, record.value)
            if getattr(event, "session", "") == state.session and (seq := getattr(event, "seq", -1)) > highest:
                highest = seq
                last = record.offset if isinstance(event, Heartbeat | Connect) else last
    return last


def _doubted(world: World, windows: Windows, key: bytes, state: Workload, living: dict[bytes, Workload]) -> None:
    """Check that nobody is absent whose machine lives, and was cut off together with most of its partition.

    As far as the brake promises it: of as many as it asks for, who fell silent within two windows.
    """
    silent = {}
    for one in world.agents:
        if one.alive and one.cut and (before := living.get(one.key)) is not None:
            last = heard(world, one.key, before.model_copy(update={"revision": state.revision}))
            if last is not None and windows.missed(last, state.revision) >= RULES.missed_windows - 1:
                silent[one.key] = last
    many = len(silent) >= RULES.brake_least and len(silent) > RULES.brake_share * len(living)
    if many and key in silent and not _ordered(world, state, silent[key]):
        words = f"{name_of(key)} lives, and was cut off with {len(silent)} of {len(living)} at {state.revision}"
        raise Broken(f"false absent: {words}", key)


def _ordered(world: World, state: Workload, since: int) -> bool:
    """Whether somebody ordered something of the partition since an offset."""
    records = world.log.part(EVENTS, state.partition).records[since : state.revision]
    return any(isinstance(decode_event(one.key, one.value), Override) for one in records if one.key == CONTROL_KEY)
