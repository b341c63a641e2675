"""Many sessions in one task: a heap of who is due when, and the session table for what happens then.

The real agent is a roster of one; a fleet is the same with more. Here a clock is read and dice are thrown, and handed
to the core as values.
"""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from schemas.events import AgentEvent, Introduction
from schemas.registrations import Ended, Refused, Registered
from services.agent import metrics
from services.agent.core.exchange import Answered, Beat, Begin, Flushed, Input, Output, Send, Stop, Wait
from services.agent.core.moves import AgentSession, State
from services.agent.core.pacing import Pacing
from services.agent.core.session import step

_GRAIN_S = 0.02
"""Who is due within this is served in one go."""


class Member:
    """One agent: its key, and where its session stands."""

    __slots__ = ("key", "session", "turn")

    def __init__(self, introduction: Introduction) -> None:
        self.key = introduction.key.to_bytes()
        self.session = AgentSession(introduction)
        self.turn = 0
        """The number of the newest Wait; older ones in the heap mean nothing any more."""


class _Due(NamedTuple):
    at_ms: int
    number: int
    turn: int
    begin: bool
    member: Member


class Roster:
    """The sessions of this process; ``publish`` takes their events, ``perform`` whatever else they want done."""

    def __init__(
        self,
        pacing: Pacing,
        publish: Callable[[bytes, AgentEvent], None],
        perform: Callable[[Member, Output], None],
    ) -> None:
        self.members: dict[bytes, Member] = {}
        self._pacing = pacing
        self._publish = publish
        self._perform = perform
        self._heap: list[_Due] = []
        self._numbers = count()
        self._sooner = asyncio.Event()
        self._dice = random.Random()  # noqa: S311 - it spreads heartbeats, it keeps no secret

    def join(self, introduction: Introduction, after_s: float = 0.0) -> Member:
        """Add a member, or one that left anew; its session begins ``after_s`` seconds from now."""
        member = Member(introduction)
        self.silence(member.key)
        self.members[member.key] = member
        self._wait(member, Wait(_now_ms() + int(after_s * 1000), begin=True))
        return member

    def silence(self, key: bytes) -> None:
        """Let a member vanish without a goodbye, as if its machine had lost power."""
        member = self.members.pop(key, None)
        if member is not None:
            member.turn += 1

    def answered(self, key: bytes, answer: Registered | Refused | Ended) -> None:
        """Hand an answer to the member it is for."""
        member = self.members.get(key)
        if member is not None:
            self._give(member, Answered(_now_ms(), self._dice.random(), answer))

    def stop(self, keys: Iterable[bytes]) -> None:
        """Let members say goodbye."""
        for member in [self.members[key] for key in keys]:
            self._give(member, Stop(_now_ms(), datetime.now(UTC)))

    def flushed(self) -> None:
        """Close the sessions of those who said goodbye: it was delivered."""
        for member in list(self.members.values()):
            if member.session.state is State.DRAINING:
                self._give(member, Flushed())

    def states(self) -> Counter[State]:
        """Return how many sessions are in each state."""
        return Counter(member.session.state for member in self.members.values())

    async def run(self) -> None:
        """Serve whoever is due, until cancelled."""
        while True:
            now = _now_ms()
            while self._heap and self._heap[0].at_ms <= now:
                due = heappop(self._heap)
                if due.turn == due.member.turn:
                    self._serve(due.member, begin=due.begin)
            self._sooner.clear()
            pause_s = max(_GRAIN_S, (self._heap[0].at_ms - now) / 1000) if self._heap else None
            try:
                async with asyncio.timeout(pause_s):
                    await self._sooner.wait()
            except TimeoutError:
                continue

    def _serve(self, member: Member, *, begin: bool) -> None:
        chance, sent_at = self._dice.random(), datetime.now(UTC)
        if begin:
            metrics.SESSIONS.inc()
            self._give(member, Begin(_now_ms(), chance, str(uuid.uuid4()), sent_at))
        else:
            self._give(member, Beat(_now_ms(), chance, sent_at))

    def _give(self, member: Member, given: Input) -> None:
        member.session, outputs = step(member.session, given, self._pacing)
        for output in outputs:
            if isinstance(output, Send):
                self._publish(member.key, output.event)
            elif isinstance(output, Wait):
                self._wait(member, output)
            else:
                self._perform(member, output)

    def _wait(self, member: Member, wait: Wait) -> None:
        member.turn += 1
        heappush(self._heap, _Due(wait.until_ms, next(self._numbers), member.turn, wait.begin, member))
        if self._heap[0].member is member:
            self._sooner.set()


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
