"""Laws of the ledger of refusals: bounded, no flood, and what is read again changes nothing."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attempts import Standing
from schemas.registrations import RefusalReason
from services.sink.core.attempt import Attempt, Place, place_of
from services.sink.core.claim import Claimant
from services.sink.core.ledger import AttemptAction, CreateAttempt, DeleteAttempt, Ledger, Limits, UpdateAttempt
from services.sink.core.objects import Manifest
from services.sink.core.refusal import Refusal
from services.sink.ports import Exactly, Kind
from tests.support.cluster import MemoryCluster
from tests.support.registry import NAMESPACE, START, joiner, session, workload

LIMITS = Limits(every=timedelta(seconds=10), per_namespace=3, retention=timedelta(minutes=10))
_refusals = st.tuples(st.integers(1, 5), st.sampled_from(Standing), st.integers(1, 4))
_steps = st.lists(st.tuples(st.lists(_refusals, max_size=6), st.integers(1, 8)), max_size=30)


def refusal(number: int, standing: Standing, of_session: int, revision: int, at: datetime) -> Refusal:
    return Refusal(
        who=Claimant.of(joiner(number)),
        standing=standing,
        session=session(of_session),
        reason=RefusalReason.NOT_VERIFIED,
        message=f"CredentialExpired: at {revision}",
        at=at,
        partition=0,
        revision=revision,
    )


class Shown:
    """Kubernetes, the clock, and when each object was written."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(NAMESPACE)
        self.now = START
        self.log: list[Refusal] = []
        self.writes: dict[Place, list[datetime]] = {}
        self.ledger = Ledger(LIMITS)

    def objects(self) -> dict[Place, Manifest]:
        return {(ns, name): item for (of, ns, name), item in self.cluster.objects.items() if of is Kind.ATTEMPT}

    def attempts(self) -> dict[Place, Attempt | None]:
        return {where: Attempt.of(item) for where, item in self.objects().items()}

    def sweep(self, most: int = 100) -> list[AttemptAction]:
        """Carry out a plan."""
        actions = self.ledger.plan(self.objects(), self.now, most)
        for action in actions:
            asyncio.run(self._do(action))
        return actions

    async def _do(self, action: AttemptAction) -> None:
        match action:
            case CreateAttempt(where, manifest):
                await self.cluster.create(Kind.ATTEMPT, manifest)
            case UpdateAttempt(where, manifest):
                await self.cluster.update(Kind.ATTEMPT, manifest)
            case DeleteAttempt(where, uid, version):
                await self.cluster.delete(Kind.ATTEMPT, Exactly(*where, uid, version))
                self.writes.pop(where)
                return
        self.ledger.wrote(where, self.now)
        self.writes.setdefault(where, []).append(self.now)

    def restart(self) -> None:
        """Let another sink go on: it has the objects, and reads all that was rejected again."""
        self.ledger = Ledger(LIMITS)
        for item in self.objects().values():
            self.ledger.adopt(item)
        self.hear(*self.log)

    def hear(self, *refusals: Refusal) -> None:
        for one in refusals:
            self.ledger.take(one)


def tell(shown: Shown, steps: list[tuple[list[tuple[int, Standing, int]], int]]) -> None:
    for refused, seconds in steps:
        for number, standing, of_session in refused:
            one = refusal(number, standing, of_session, len(shown.log), shown.now)
            shown.log.append(one)
            shown.hear(one)
        shown.sweep()
        shown.now += timedelta(seconds=seconds)


@given(_steps)
@settings(deadline=None, max_examples=60)
def test_whatever_is_refused_the_objects_are_bounded_and_each_is_written_seldom(
    steps: list[tuple[list[tuple[int, Standing, int]], int]],
) -> None:
    shown = Shown()
    tell(shown, steps)
    standings = Counter(one.spec.standing for one in shown.attempts().values() if one is not None)
    assert all(count <= LIMITS.per_namespace for count in standings.values())
    for times in shown.writes.values():
        assert all(later - earlier >= LIMITS.every for earlier, later in pairwise(times))


@given(_steps, st.booleans())
@settings(deadline=None, max_examples=60)
def test_reading_all_again_changes_nothing_with_or_without_a_restart(
    steps: list[tuple[list[tuple[int, Standing, int]], int]],
    anew: bool,  # noqa: FBT001
) -> None:
    shown = Shown()
    tell(shown, steps)
    shown.now += LIMITS.every
    shown.sweep()
    before = shown.attempts()
    if anew:
        shown.restart()
    else:
        shown.hear(*shown.log)
    assert shown.sweep() == []
    assert shown.attempts() == before


@given(_steps)
@settings(deadline=None, max_examples=40)
def test_in_the_end_all_attempts_are_counted_and_all_objects_go(
    steps: list[tuple[list[tuple[int, Standing, int]], int]],
) -> None:
    shown = Shown()
    tell(shown, steps)
    shown.now += LIMITS.every
    shown.sweep()
    told = Counter(place_of(one) for one in shown.log)
    for where, attempt in shown.attempts().items():
        assert attempt is not None
        if attempt.spec.standing is not Standing.VERIFIED:
            assert attempt.status.attempts == told[where]
    shown.now += LIMITS.retention
    shown.sweep()
    assert shown.objects() == {}


@given(_steps)
@settings(deadline=None, max_examples=40)
def test_what_came_before_a_registration_goes_with_it(
    steps: list[tuple[list[tuple[int, Standing, int]], int]],
) -> None:
    shown = Shown()
    tell(shown, steps)
    shown.ledger.joined(workload(joiner(1), revision=len(shown.log)))
    shown.sweep()
    assert not [one for one in shown.attempts().values() if one and one.spec.identity == joiner(1).identity]
