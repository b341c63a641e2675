"""Shows refusals in Kubernetes, and tells the sessions that the processor would not have.

Its one rule: it comes last. It writes at most a part of the write budget, and where Kubernetes does not do it, it waits
for its next turn: no registration ever waits for an attempt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

import structlog

from schemas.actions import Verb, Written
from schemas.attempts import Standing
from schemas.names import WorkloadKey, parse_key
from schemas.registrations import RefusalReason, Refused, Registered
from schemas.workloads import Workload
from services.sink import metrics
from services.sink.core.attempt import Place, is_over
from services.sink.core.duplicate import Attempted, message, seen
from services.sink.core.ledger import AttemptAction, CreateAttempt, DeleteAttempt, Ledger, Limits, UpdateAttempt
from services.sink.core.objects import Manifest
from services.sink.core.refusal import Refusal, by_sink
from services.sink.core.written import attempt_wrote
from services.sink.ports import Cluster, ClusterError, Exactly, Kind, UnavailableError
from services.sink.settings import AttemptSettings
from services.sink.state import State, Told

SWEEP_S = 0.5
"""How often it is looked what to write."""
MOST_TOLD = 10_000
"""So many sessions have an answer of their own; of more, those told longest ago are forgotten first."""

Tell = Callable[[WorkloadKey, str, Refused | None], Awaitable[None]]
"""Writes an answer to one session of a workload, None takes it out; returns when it is durable."""


class Refusals:
    """Keeps OnboardingAttempts, and the answers to sessions which the processor refused."""

    def __init__(
        self,
        cluster: Cluster,
        state: State,
        tell: Tell,
        trace: Callable[[bytes, Written], None],
        settings: AttemptSettings,
        now: Callable[[], datetime],
    ) -> None:
        """Take ``trace``, which takes what was written of a workload, and returns at once."""
        self.cluster = cluster
        self.state = state
        self.tell = tell
        self.trace = trace
        self.settings = settings
        self.now = now
        self.retention = timedelta(seconds=settings.retention_seconds)
        every = timedelta(seconds=settings.rewrite_seconds)
        self.ledger = Ledger(Limits(every, settings.per_namespace, self.retention))
        self._full: set[tuple[str, Standing]] = set()
        """Namespaces and standings of which it was said that there is no room."""
        self._log = structlog.get_logger()

    def adopt(self, keys: Iterable[bytes]) -> None:
        """Go on from what is there: objects of a sink before this one, and who is refused now."""
        for item in self.state.objects[Kind.ATTEMPT].values():
            self.ledger.adopt(item)
        for key in keys:
            self.look(key)

    def look(self, key: bytes) -> None:
        """See what became of a workload, after it was reconciled."""
        whose, workload, answer = parse_key(key), self.state.wanted.get(key), self.state.answered.get(key)
        if whose is None:
            return
        refusal = None
        if workload is not None and isinstance(answer, Refused):
            refusal = by_sink(workload, answer, self.state.observed(whose))
        self.ledger.refused_now(whose, refusal.standing if refusal is not None else None)
        if refusal is not None:
            self._take(refusal)
        elif workload is not None and isinstance(answer, Registered) and answer.session == workload.session:
            self.ledger.joined(workload)

    async def hear(self, refusals: Iterable[Refusal]) -> list[bytes]:
        """Take what the processor refused, and tell the sessions; return the keys of living workloads it concerns.

        All are told at once: a flood of claims must not keep others waiting for a round trip each.
        """
        told, concerned = [], []
        for refusal in refusals:
            key = refusal.who.key.to_bytes()
            living = self.state.wanted.get(key)
            if living is not None and living.session == refusal.session:
                continue  # it has begun since
            told.append(self._answer(refusal))
            if self.state.has_group(refusal.who.key) and not self._joined_since(key, refusal):
                self._take(refusal)
            if (
                living is not None
                and refusal.reason is RefusalReason.DUPLICATE_IDENTITY
                and self._doubt(living, refusal)
            ):
                concerned.append(key)
        await asyncio.gather(*told)
        return concerned

    def _doubt(self, living: Workload, refusal: Refusal) -> bool:
        """Note that another machine shows a living one's identity; return whether that is to be said anew."""
        key, now = living.workload.key.to_bytes(), self.now()
        known, shown = self.state.duplicates.get(key), timedelta(seconds=self.settings.duplicate_shown_seconds)
        attempted = Attempted(refusal.at, refusal.partition, refusal.revision)
        fresh = self.state.duplicates[key] = seen(known, refusal.who.addresses, attempted, shown)
        # Shown for longer is no news: when its time is over it is looked at anyway.
        return message(known, living, now) != message(fresh, living, now)

    def _joined_since(self, key: bytes, refusal: Refusal) -> bool:
        workload, answer = self.state.wanted.get(key), self.state.answered.get(key)
        if workload is None or not isinstance(answer, Registered) or answer.session != workload.session:
            return False
        return is_over(refusal, workload)

    def _take(self, refusal: Refusal) -> None:
        where = (refusal.who.key.namespace, refusal.standing)
        if not self.ledger.take(refusal):
            metrics.UNSHOWN.labels(refusal.reason).inc()
            if where not in self._full:
                words = "there is no room to show more refusals of this namespace: muster.rejected has them all"
                self._log.warning(words, namespace=where[0], standing=where[1], at_most=self.settings.per_namespace)
            self._full.add(where)
        elif self.ledger.has_room(*where):
            self._full.discard(where)

    async def _answer(self, refusal: Refusal) -> None:
        where = (refusal.who.key, refusal.session)
        told = self.state.told.get(where)
        if (told is not None and told.answer == refusal.answer) or self.now() - refusal.at >= self.retention:
            return
        # Noted before it is written: the next attempt may be told of at the same time.
        self.state.told.pop(where, None)
        self.state.told[where] = Told(refusal.answer, refusal.at)
        await self.tell(*where, refusal.answer)
        metrics.REFUSED.labels(refusal.reason).inc()

    async def keep(self, per_second: float) -> None:
        """Write what is to be written, until cancelled: at most so much a second."""
        most = max(1, int(per_second * SWEEP_S))
        while True:
            pause = await self.sweep(most) or SWEEP_S
            await asyncio.sleep(pause)

    async def sweep(self, most: int) -> float:
        """Do what is to be done now; return for how many seconds Kubernetes asks to be left alone, or 0."""
        await self._forget(most)
        for action in self.ledger.plan(self.state.objects[Kind.ATTEMPT], self.now(), most):
            try:
                await self._do(action)
            except UnavailableError as error:
                self.ledger.failed(action.place, self.now())
                self._log.warning("refusals are not shown for now", why=str(error))
                return max(error.after_s or 0.0, 1.0)
            except ClusterError as error:
                # Gone, there already, changed, or not valid: it is looked at again, at the pace of rewriting.
                self.ledger.failed(action.place, self.now())
                self._log.warning("a refusal could not be shown", place="/".join(action.place), why=str(error))
        metrics.ATTEMPTS.set(len(self.ledger.attempts))
        return 0.0

    async def _do(self, action: AttemptAction) -> None:
        match action:
            case CreateAttempt(place, manifest):
                self._wrote(Verb.CREATE, place, await self.cluster.create(Kind.ATTEMPT, manifest))
            case UpdateAttempt(place, manifest):
                self._wrote(Verb.UPDATE, place, await self.cluster.update(Kind.ATTEMPT, manifest))
            case DeleteAttempt(place, uid, version):
                found = self.state.objects[Kind.ATTEMPT].get(place)
                await self.cluster.delete(Kind.ATTEMPT, Exactly(*place, uid, version))
                self.state.gone(Kind.ATTEMPT, *place, uid)
                if found is not None:
                    self._told(Verb.DELETE, found)

    def _wrote(self, verb: Verb, place: Place, made: Manifest) -> None:
        self.state.put(Kind.ATTEMPT, made)
        self.ledger.wrote(place, self.now())
        self._told(verb, made)

    def _told(self, verb: Verb, item: Manifest) -> None:
        written = attempt_wrote(verb, item)
        if written is not None:
            key, told = written
            self.trace(key.to_bytes(), told)

    async def _forget(self, most: int) -> None:
        """Take out the answers whose sessions have given up, or of which there are too many."""
        oldest = list(self.state.told)[: max(most, len(self.state.told) - MOST_TOLD)]
        for where in oldest:
            past = self.now() - self.state.told[where].at >= self.retention
            if past or len(self.state.told) > MOST_TOLD:
                await self.tell(*where, None)
                del self.state.told[where]
