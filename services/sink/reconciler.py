"""Carries out what the plan asks for, step by step, until it asks for nothing.

Its one rule: an answer goes out only after the write it tells of was acknowledged by Kubernetes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

import structlog

from schemas.actions import Written
from schemas.names import parse_key
from schemas.removals import Removal
from schemas.workloads import Presence, Workload
from services.sink import metrics
from services.sink.core.actions import (
    Action,
    Answered,
    AnswerSession,
    CreateEntry,
    CreateWar,
    DeleteEntry,
    DeleteWar,
    ForgetAnswer,
    KeepRemoval,
    UpdateEntry,
    UpdateEntryStatus,
    UpdateStatus,
    UpdateWar,
    Write,
)
from services.sink.core.answers import refuse_newcomer
from services.sink.core.plan import Plan, forget, plan
from services.sink.core.undo import in_force
from services.sink.core.written import deleted, wrote
from services.sink.ports import Cluster, ConflictError, Exactly, InvalidError, Kind
from services.sink.state import State, place

MOST_ROUNDS = 8
"""A workload needs three plans from nothing to registered; more means somebody writes against us."""

SOON_S = 0.001
"""A turn that comes within this has come: timers are no finer."""

Publish = Callable[[bytes, Answered | None], Awaitable[None]]
"""Writes an answer under a workload's key, None takes it out; returns when it is durable."""

Keep = Callable[[bytes, Removal], Awaitable[None]]
"""Writes a removal under a workload's key; returns when it is durable."""

Tell = Callable[[bytes, Written], None]
"""Takes what was written of a workload; returns at once."""


class Telling(NamedTuple):
    """How the sink says what it did: to agents, to whoever undoes a removal, and to people."""

    publish: Publish
    keep: Keep
    tell: Tell


class Reconciler:
    """Brings one workload after the other to where it should be."""

    def __init__(
        self, cluster: Cluster, state: State, telling: Telling, now: Callable[[], datetime], pace: "Pace"
    ) -> None:
        """Take ``pace``, at which registrations may be removed."""
        self.cluster = cluster
        self.state = state
        self.telling = telling
        self.now = now
        self.pace = pace
        self._log = structlog.get_logger()

    async def reconcile(self, key: bytes) -> float:
        """Do what is to be done for one workload; return 0, or in how many seconds it is to be looked at again.

        Raises ClusterError where Kubernetes does not do it: try again.
        """
        metrics.RECONCILES.inc()
        for _ in range(MOST_ROUNDS):
            steps, wanted = self._plan(key), self.state.wanted.get(key)
            if any(isinstance(step, DeleteWar) for step in steps):
                # Nobody else waits with it, and when it is its turn it is planned again: it may have come back.
                if delay := self.pace.turn(key):
                    return delay
            else:
                self.pace.withdraw(key)
            if not steps:
                return self._ends(key)
            for step in steps:
                if isinstance(step, DeleteWar) and step not in self._plan(key):
                    # What came before it waited for Kafka, and the workload or its registration is not what it was.
                    break
                await self._do(key, step, wanted)
        raise ConflictError(f"{key.decode()} was not settled in {MOST_ROUNDS} rounds: somebody else changes it as well")

    def _plan(self, key: bytes) -> Plan:
        wanted, answer = self.state.wanted.get(key), self.state.answered.get(key)
        restored = self.state.restores.get(key)
        whose = parse_key(key)
        if whose is None:  # pragma: no cover - the state takes no such key
            raise AssertionError(f"{key!r} is no workload's key")
        observed = self.state.observed(whose)
        if observed.war is None and (wanted is None or wanted.presence is Presence.REMOVED):
            self.state.fleet.carried_out(key)
        if wanted is None:
            return forget(answer, observed, self.now(), restored)
        return plan(wanted, answer, observed, self.now(), restored)

    def _ends(self, key: bytes) -> float:
        """Return in how many seconds something ends by itself: what was brought back, a duplicate's being shown."""
        restored, now = self.state.restores.get(key), self.now()
        ends = [self.state.duplicates[key].until] if key in self.state.duplicates else []
        if restored is not None and in_force(restored, self.state.wanted.get(key), now):
            ends.append(restored.until)
        return min(((end - now).total_seconds() for end in ends if end > now), default=0.0)

    async def _do(self, key: bytes, step: Action, of: Workload | None) -> None:
        """Carry out a step that was planned from this state (``of``): there may be a newer one by now."""
        try:
            await self._carry_out(key, step, of)
        except InvalidError as error:
            # Refused for what the object says: the agent is told, and it is tried again when something changes.
            # One that was forgotten meanwhile has nobody to be told.
            if (wanted := self.state.wanted.get(key)) is not None:
                for told in refuse_newcomer(wanted, self.state.answered.get(key), str(error)):
                    await self._carry_out(key, told, wanted)
            raise
        metrics.ACTIONS.labels(type(step).__name__).inc()

    async def _carry_out(self, key: bytes, step: Action, of: Workload | None) -> None:
        match step:
            case KeepRemoval(removal):
                await self.telling.keep(key, removal)
            case AnswerSession(answer):
                await self.telling.publish(key, answer)
                self.state.answered[key] = answer
                self._log.info("answered a session", answer=answer.type, key=key.decode(), session=answer.session)
            case ForgetAnswer():
                await self.telling.publish(key, None)
                self.state.answered.pop(key, None)
            case DeleteWar():
                await self._delete(Kind.WAR, Exactly(*step))
                self.telling.tell(key, deleted(step, of))
                self._log.info("removed a registration", namespace=step.namespace, name=step.name)
            case DeleteEntry():
                await self._delete(Kind.ENTRY, Exactly(*step))
                self.telling.tell(key, deleted(step, of))
                self._log.info("took back a restored entry", namespace=step.namespace, name=step.name)
            case _:
                await self._write(key, step, of)

    async def _write(self, key: bytes, step: Write, of: Workload | None) -> None:
        kind = Kind.WAR if isinstance(step, CreateWar | UpdateWar | UpdateStatus) else Kind.ENTRY
        # Before the call: a watch may show the outcome sooner than the answer comes.
        before = self.state.objects[kind].get(place(step.manifest))
        match step:
            case CreateWar(manifest) | CreateEntry(manifest):
                made = await self.cluster.create(kind, manifest)
            case UpdateWar(manifest) | UpdateEntry(manifest):
                made = await self.cluster.update(kind, manifest)
            case UpdateStatus(manifest) | UpdateEntryStatus(manifest):
                made = await self.cluster.update(kind, manifest, status=True)
        self.state.put(kind, made)
        self.telling.tell(key, wrote(step, before, made, of))

    async def _delete(self, kind: Kind, which: Exactly) -> None:
        await self.cluster.delete(kind, which)
        self.state.gone(kind, which.namespace, which.name, which.uid)


class Pace:
    """Lets things happen at most so often; each waits for a turn of its own, and holds nobody up."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = float("-inf")  # a machine just started has a clock that is below any gap
        self._turns: dict[bytes, float] = {}

    def turn(self, key: bytes) -> float:
        """Return 0 where it is this key's turn, which is then taken, or the seconds until it is."""
        now = asyncio.get_running_loop().time()
        if key not in self._turns:
            self._next = max(self._next + self._gap, now)
            self._turns[key] = self._next
        wait = self._turns[key] - now
        if wait > SOON_S:
            return wait
        del self._turns[key]
        return 0.0

    def withdraw(self, key: bytes) -> None:
        """Give up the turn of a key that needs none any more."""
        self._turns.pop(key, None)
