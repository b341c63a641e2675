"""One fault on a running world: when it is noticed, when all is right again, and whom it wronged.

Its weight-bearing rule: what is noticed and what is right is read in Kubernetes, as the people who rely on it do.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from tests.chaos.account import wrongly_removed
from tests.chaos.arena import Arena
from tests.chaos.registered import Registered
from tests.chaos.truth import now_ms
from tests.support.eventually import eventually

LOOK_S = 0.25
NOTICED_WITHIN_S = 60.0
RIGHT_WITHIN_S = 90.0
AGREED_WITHIN_S = 60.0
REPLAYED_WITHIN_S = 180.0
"""The log of all faults before it is replayed as well."""
DIFFERENT = "FAILED"
"""So a replay begins to tell what is different, and neither ahead nor behind."""

Registrations = Mapping[bytes, Registered]


class SkipError(Exception):
    """The fault cannot be made on this machine; the words say why."""


class Figures(NamedTuple):
    """What one fault came to."""

    fault: str
    events: int = 0
    verdicts: Mapping[str, int] = {}
    false_removals: int = 0
    false_absents: int = 0
    outage_s: float | None = None
    """How long the fault lasted."""
    detect_s: float | None = None
    """From the fault until Kubernetes says of everybody who is not there that the agent is not connected."""
    endpoint_s: float | None = None
    """From the fault until no endpoint of theirs gets traffic."""
    recover_s: float | None = None
    """From the end of the fault until Kubernetes says of everybody what is true."""
    restarts: int = 0
    """Processes that ended by themselves and were started again."""
    writes: int = 0
    """What the sink asked Kubernetes to write."""
    broken: tuple[str, ...] = ()
    skipped: str = ""
    without_traffic: int | None = None
    """How many endpoints of machines that live got no traffic, at one time; None where the log is judged."""

    @property
    def by_kubernetes(self) -> bool:
        """Whether what counts is what Kubernetes took from the living, and not what the log says of them."""
        return self.without_traffic is not None


class Stage:
    """What a fault tells of itself, and what is seen meanwhile."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.hit: set[bytes] = set()
        self.struck: float | None = None
        self.healed: float | None = None
        self.noticed: float | None = None
        self.closed: float | None = None
        self.right: float | None = None
        self.vanished: dict[bytes, str] = {}
        """Registrations that went although their agents were there."""
        self.doubtful: set[bytes] = set()
        """Those who fall silent all together: then the observer is to be doubted, and to call one absent is false."""
        self.excused: set[bytes] = set()
        """Those whose registrations people delete."""
        self.cut_off: set[bytes] = set()
        """Those who live while the log may call them absent or removed (ADR 0016): Kubernetes may take nothing."""
        self.without_traffic: set[bytes] = set()
        """Those of them whose endpoints get none: as it is, and when the fault was over, as it was."""
        self.most_without_traffic = 0
        self._uids: dict[bytes, str] = {}

    def strike(self, hit: set[bytes]) -> None:
        """The fault begins; from now on these are not there, and are to be noticed."""
        self.hit, self.struck = hit, time.monotonic()

    def heal(self) -> None:
        """The fault is over."""
        self.healed = time.monotonic()

    async def watch(self) -> None:
        """Look at Kubernetes again and again."""
        while True:
            self.arena.all_run()
            seen = await self.arena.registrations()
            if seen is not None:
                self.look(seen, time.monotonic())
            await asyncio.sleep(LOOK_S)

    async def count(self) -> None:
        """Look at the sink's counters now and then: a sink that is killed takes them with it."""
        while True:
            await self.arena.writes()
            await asyncio.sleep(LOOK_S)

    def look(self, seen: Registrations, now: float) -> None:
        """Take in what Kubernetes says at a time."""
        for key, uid in self._uids.items():
            if key in self.excused:
                continue
            gone = key not in seen or seen[key].uid != uid
            if gone and (key in self.cut_off or wrongly_removed(self.arena.truth, key, now_ms())):
                self.vanished[key] = f"{key.decode()}: its registration is gone from Kubernetes"
        self._uids = {key: one.uid for key, one in seen.items()}
        without = {key for key in self.cut_off if key not in seen or seen[key].healthy != "True"}
        self.most_without_traffic = max(self.most_without_traffic, len(without))
        if self.healed is None:
            self.without_traffic = without
        if self.struck is not None and self.noticed is None and "True" not in _said(seen, self.hit):
            self.noticed = now
        if self.struck is not None and self.closed is None and "True" not in _healthy(seen, self.hit):
            self.closed = now
        if self.healed is not None and self.right is None and right(self.arena, seen):
            self.right = now

    async def ends(self) -> list[str]:
        """Wait until what was hit was noticed and all is right again; return what did not come to be."""
        late = []
        if self.hit and not await _came(lambda: self.noticed is not None, NOTICED_WITHIN_S):
            late.append(f"those who were not there were not noticed within {NOTICED_WITHIN_S:g} s")
        if not await _came(lambda: self.right is not None, RIGHT_WITHIN_S):
            late.append(f"not all was right again within {RIGHT_WITHIN_S:g} s: {await self._wrong()}")
        return late

    async def _wrong(self) -> str:
        seen = await self.arena.registrations()
        if seen is None:
            return "Kubernetes does not answer"
        able = self.arena.truth.able_now()
        missing = {key for key in able if _said(seen, {key}) != {"True"}}
        ghosts = {key for key in self.arena.truth.keys - able if _said(seen, {key}) == {"True"}}
        return f"{len(missing)} who are there do not say True, {len(ghosts)} who are not there do"


def right(arena: Arena, seen: Registrations) -> bool:
    """Whether Kubernetes says of everybody, and of every endpoint, what is true."""
    able = arena.truth.able_now()
    unable = arena.truth.keys - able
    alive = _said(seen, able) | _healthy(seen, able)
    return alive <= {"True"} and "True" not in _said(seen, unable) | _healthy(seen, unable)


def _said(seen: Registrations, keys: set[bytes]) -> set[str]:
    return {seen[key].connected if key in seen else "gone" for key in keys}


def _healthy(seen: Registrations, keys: set[bytes]) -> set[str]:
    return {seen[key].healthy if key in seen else "gone" for key in keys}


Act = Callable[[Arena, Stage], Awaitable[None]]


async def run(name: str, act: Act, arena: Arena) -> Figures:
    """Let one fault happen to a world in which all is well; leave it well."""
    broken = await _agreed(arena)
    if broken:
        return Figures(name, broken=("before the fault: not all was well", *broken))
    mark, writes, restarts = await arena.account.mark(), await arena.writes(), len(arena.restarts)
    stage = Stage(arena)
    watching = asyncio.gather(stage.watch(), stage.count())
    try:
        await act(arena, stage)
        broken = await stage.ends()
    except SkipError as why:
        return Figures(name, skipped=str(why))
    except (AssertionError, OSError) as error:
        broken = [f"{type(error).__name__}: {error}"]
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    broken += await _agreed(arena)
    broken += await _replayed(arena)
    judged = await arena.account.judge(mark, arena.truth, stage.doubtful, stage.cut_off)
    absents = [
        *judged.false_absents,
        *(f"{key.decode()}: its endpoint got no traffic at the fault's end" for key in sorted(stage.without_traffic)),
    ]
    removals = [*judged.false_removals, *stage.vanished.values()]
    return Figures(
        name,
        judged.events,
        judged.verdicts,
        len(removals),
        len(absents),
        _between(stage.struck, stage.healed),
        _between(stage.struck, stage.noticed),
        _between(stage.struck, stage.closed),
        _between(stage.healed, stage.right),
        len(arena.restarts) - restarts,
        await arena.writes() - writes,
        (*absents, *removals, *broken),
        without_traffic=stage.most_without_traffic if stage.cut_off else None,
    )


async def _agreed(arena: Arena) -> list[str]:
    """Wait until all accounts agree; return in what they differ."""
    found: list[str] = []

    async def so() -> bool:
        nonlocal found
        arena.all_run()
        found = await arena.disagreements()
        return not found

    with suppress(AssertionError):
        await eventually(so, "all accounts to agree", within_s=AGREED_WITHIN_S, every_s=0.5)
    return found


async def _replayed(arena: Arena) -> list[str]:
    """Wait until `muster replay` of the whole log is ``muster.workloads``, field by field; return in what it is not.

    What is only ahead or behind, as somebody was removed in between, is looked at again; what is different stays so.
    """
    found = "it did not come to an end"

    async def so() -> bool:
        nonlocal found
        arena.all_run()
        found = await arena.replay_disagreements()
        return not found or DIFFERENT in found

    with suppress(AssertionError, TimeoutError):
        await eventually(so, "a replay to be what is live", within_s=REPLAYED_WITHIN_S, every_s=0.5)
    return [f"replay is not live: {found}"] if found else []


async def _came(true: Callable[[], bool], within_s: float) -> bool:
    """Wait until something is so; return whether it came to be in time."""

    async def so() -> bool:
        return true()

    with suppress(AssertionError):
        return await eventually(so, "it", within_s=within_s, every_s=LOOK_S)
    return False


def _between(began: float | None, ended: float | None) -> float | None:
    return round(max(ended - began, 0.0), 1) if began is not None and ended is not None else None
