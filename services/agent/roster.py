"""Many sessions in one task: a heap of who is due when, and the session table for what happens then.

The real agent is a roster of one; a fleet is the same with more. Here a clock is read and dice are thrown, and handed
to the core as values.
"""

import asyncio
import random
import secrets
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple, Protocol

from schemas.credentials import Credential
from schemas.events import AgentEvent, Introduction
from schemas.registrations import Ended, Refused, Registered
from services.agent import metrics
from services.agent.core.exchange import Answered, Beat, Begin, Flushed, Input, Output, Send, Stop, Wait
from services.agent.core.moves import LIVE, AgentSession, State
from services.agent.core.pacing import Pacing
from services.agent.core.session import step

_GRAIN_S = 0.02
"""Who is due within this is served in one go."""
_SECRET_BYTES = 32


class Credentials(Protocol):
    """What a member shows."""

    async def credential(self, session: str) -> Credential | None:
        """Return the credential for this session as it is now, soon; None: there is none."""


class Member:
    """One agent: its key, what it shows, and where its session stands."""

    __slots__ = ("credentials", "key", "session", "turn")

    def __init__(self, introduction: Introduction, credentials: Credentials, tails: tuple[str, ...]) -> None:
        self.key = introduction.key.to_bytes()
        self.credentials = credentials
        self.session = AgentSession(introduction, tails=tails)
        self.turn = 0
        """The number of the newest Wait; older ones in the heap mean nothing any more."""


class _Due(NamedTuple):
    at_ms: int
    number: int
    turn: int
    begin: bool
    member: Member


class Roster:
    """The sessions of this process; ``publish`` takes their events, ``perform`` whatever else they want done.

    While ``held`` says so, nothing can be published, and no heartbeat is due: sessions do not count on.
    """

    def __init__(
        self,
        pacing: Pacing,
        publish: Callable[[bytes, AgentEvent], None],
        perform: Callable[[Member, Output], None],
        held: Callable[[], bool],
    ) -> None:
        self.members: dict[bytes, Member] = {}
        self._pacing = pacing
        self._publish = publish
        self._perform = perform
        self._held = held
        self._heap: list[_Due] = []
        self._numbers = count()
        self._sooner = asyncio.Event()
        self._dice = random.Random()  # noqa: S311 - it spreads heartbeats, it keeps no secret

    def join(
        self,
        introduction: Introduction,
        credentials: Credentials,
        tails: tuple[str, ...] = (),
        *,
        after_s: float = 0.0,
    ) -> Member:
        """Add a member, or one that left anew, as the heir of ``tails``; it begins ``after_s`` seconds from now."""
        member = Member(introduction, credentials, tails)
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
        async with asyncio.TaskGroup() as group:
            while True:
                now = _now_ms()
                while self._heap and self._heap[0].at_ms <= now:
                    due = heappop(self._heap)
                    if due.turn == due.member.turn:
                        self._serve(due, now, group)
                self._sooner.clear()
                pause_s = max(_GRAIN_S, (self._heap[0].at_ms - now) / 1000) if self._heap else None
                try:
                    async with asyncio.timeout(pause_s):
                        await self._sooner.wait()
                except TimeoutError:
                    continue

    def _serve(self, due: _Due, now_ms: int, group: asyncio.TaskGroup) -> None:
        """Let a member go on, with its credential where it is to show it."""
        session = due.member.session
        if self._held() and session.state in LIVE:
            self._wait(due.member, Wait(self._pacing.next_heartbeat(now_ms, self._dice.random())))
        elif due.begin or session.introduces(now_ms):
            group.create_task(self._show(due))
        else:
            self._go_on(due, None)

    async def _show(self, due: _Due) -> None:
        """Let a member go on with what it shows, in a session that begins now, or in its own."""
        fresh = str(uuid.uuid4())
        own = fresh if due.begin else due.member.session.session or ""
        credential = await due.member.credentials.credential(own)
        if due.turn == due.member.turn:
            self._go_on(due, credential, fresh)

    def _go_on(self, due: _Due, credential: Credential | None, fresh: str = "") -> None:
        now, chance, sent_at = _now_ms(), self._dice.random(), datetime.now(UTC)
        secret = secrets.token_bytes(_SECRET_BYTES)
        if due.begin:
            metrics.SESSIONS.inc()
            self._give(due.member, Begin(now, chance, fresh, sent_at, credential, secret))
        else:
            self._give(due.member, Beat(now, chance, sent_at, credential, secret))

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
