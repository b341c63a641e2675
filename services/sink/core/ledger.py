"""Refusals as objects: which OnboardingAttempts there should be, from what was refused (ADR 0012).

The ledger's one rule: whatever comes in, and however often, there are at most so many objects in a namespace, each is
written at most so often, and what was read before changes nothing when it is read again.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from schemas.attempts import Standing
from schemas.names import WorkloadKey
from schemas.workloads import Workload
from services.sink.core.attempt import (
    Attempt,
    Place,
    is_newer,
    is_over,
    ours,
    place,
    place_of,
    place_told,
    refusal_content,
    same_workload,
)
from services.sink.core.objects import Manifest
from services.sink.core.refusal import Refusal

_NEVER = datetime.min.replace(tzinfo=UTC)


class Limits(NamedTuple):
    """How much is shown."""

    every: timedelta = timedelta(seconds=10)
    """An object is rewritten at most so often."""
    per_namespace: int = 100
    """Objects of each standing in a namespace: claims nobody proved must not crowd out the others."""
    retention: timedelta = timedelta(hours=1)
    """An object stays for so long after the last attempt."""


class CreateAttempt(NamedTuple):
    """Create the object."""

    place: Place
    manifest: Manifest


class UpdateAttempt(NamedTuple):
    """Replace the object, if it is still the one that was observed."""

    place: Place
    manifest: Manifest


class DeleteAttempt(NamedTuple):
    """Delete exactly the object that was observed."""

    place: Place
    uid: str
    resource_version: str


AttemptAction = CreateAttempt | UpdateAttempt | DeleteAttempt


class Ledger:
    """All attempts that are shown, or should be."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.attempts: dict[Place, Attempt] = {}
        self._written: dict[Place, datetime] = {}
        """When each that exists was written last, by the sink's clock."""
        self._failed: dict[Place, datetime] = {}
        """When writing it failed, of those that could not be written."""
        self._same: dict[Place, tuple[str, Attempt]] = {}
        """In which version an object was found to say what it should: it is not read again and again."""
        self._refused: set[Place] = set()
        """Of those whose workload is connected and refused right now: they stay, however long ago it tried."""
        self._shown: Counter[tuple[str, Standing]] = Counter()

    def adopt(self, manifest: Manifest) -> None:
        """Go on from an object that a sink before this one made."""
        found, where = Attempt.of(manifest), (manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        if found is None or not ours(manifest):
            return
        if place_told(where[0], found.spec) == where:
            self._put(where, found)
            self._written[where] = _NEVER

    def take(self, refusal: Refusal) -> bool:
        """Take a refusal; return False where there is no room to show it."""
        where = place_of(refusal)
        known = self.attempts.get(where)
        if known is None:
            if not self.has_room(where[0], refusal.standing):
                return False
            self._put(where, refusal_content(refusal))
            return True
        if not same_workload(known.spec, refusal):
            return False
        status = known.status
        tried = is_newer(refusal, status)
        if tried or (refusal.partition, refusal.revision) == (status.partition, status.revision):
            # A session that is verified has tried once: what is newer of it is its presence.
            counts = tried and not (refusal.standing is Standing.VERIFIED and refusal.session == status.session)
            fresh = refusal_content(refusal)
            counted = {
                "attempts": status.attempts + counts,
                "first_at": status.first_at,
                "last_at": max(status.last_at, refusal.at),
            }
            self._put(where, Attempt(fresh.spec, fresh.status.model_copy(update=counted)))
        return True

    def has_room(self, namespace: str, standing: Standing) -> bool:
        """Tell whether one more may be shown."""
        return self._shown[namespace, standing] < self.limits.per_namespace

    def refused_now(self, key: WorkloadKey, standing: Standing | None) -> None:
        """Say whether a workload is refused right now, under which standing; None: it is not."""
        for one in Standing:
            (self._refused.add if one is standing else self._refused.discard)(place(key, one))

    def joined(self, workload: Workload) -> None:
        """Forget the attempts before a workload's registration."""
        for standing in Standing:
            where = place(workload.workload.key, standing)
            known = self.attempts.get(where)
            if known is not None and is_over(known.status, workload):
                self._drop(where)

    def plan(self, observed: Mapping[Place, Manifest], now: datetime, most: int) -> list[AttemptAction]:
        """Return what to do next, at most so much: first what is to go, then who waits the longest."""
        for where in [where for where, one in self.attempts.items() if self._is_past(where, one, observed, now)]:
            self._drop(where)
        actions: list[AttemptAction] = [
            DeleteAttempt(where, item["metadata"]["uid"], item["metadata"]["resourceVersion"])
            for where, item in observed.items()
            if where not in self.attempts and ours(item)
        ]
        for where in sorted(self.attempts, key=self._turn):
            if len(actions) >= most:
                break
            action = self._write(where, observed.get(where), now)
            actions += [action] if action is not None else []
        return actions[:most]

    def wrote(self, where: Place, now: datetime) -> None:
        """Note that an object is written."""
        self._written[where] = now
        self._failed.pop(where, None)

    def failed(self, where: Place, now: datetime) -> None:
        """Note that an object could not be written: it is tried again no sooner than it would be rewritten."""
        self._failed[where] = now

    def _turn(self, where: Place) -> tuple[datetime, datetime, Place]:
        """Return by what the next to be written is chosen: what keeps failing must not stand before all others."""
        return self._failed.get(where, _NEVER), self._written.get(where, _NEVER), where

    def _write(self, where: Place, item: Manifest | None, now: datetime) -> AttemptAction | None:
        attempt = self.attempts[where]
        if now - self._failed.get(where, _NEVER) < self.limits.every:
            return None
        if item is None:
            return CreateAttempt(where, attempt.manifest(*where))
        if not ours(item) or self._says(where, item, attempt):
            return None
        if now - self._written.get(where, _NEVER) < self.limits.every:
            return None
        return UpdateAttempt(where, {**item, **attempt.content()})

    def _says(self, where: Place, item: Manifest, attempt: Attempt) -> bool:
        version = item["metadata"]["resourceVersion"]
        found = self._same.get(where)
        if found is not None and found[0] == version and found[1] is attempt:
            return True
        if Attempt.of(item) != attempt:
            return False
        self._same[where] = (version, attempt)
        return True

    def _is_past(self, where: Place, one: Attempt, observed: Mapping[Place, Manifest], now: datetime) -> bool:
        if where in self._written and where not in observed:
            return True  # somebody deleted it, or its namespace: until there is another attempt
        return where not in self._refused and now - one.status.last_at >= self.limits.retention

    def _put(self, where: Place, attempt: Attempt) -> None:
        self._shown[where[0], attempt.spec.standing] += where not in self.attempts
        self.attempts[where] = attempt

    def _drop(self, where: Place) -> None:
        gone = self.attempts.pop(where)
        self._written.pop(where, None)
        self._failed.pop(where, None)
        self._same.pop(where, None)
        self._refused.discard(where)
        counted = (where[0], gone.spec.standing)
        self._shown[counted] -= 1
        if not self._shown[counted]:
            del self._shown[counted]
