"""People with kubectl: they delete registrations, edit groups, touch what the sink writes, and release the brake."""

import copy
import math
from contextlib import suppress
from typing import Any

from schemas.codec import decode_answer
from schemas.events import Override, OverrideAction
from schemas.names import CONTROL_KEY
from schemas.policies import Enforcement
from schemas.registrations import Registered
from schemas.topics import EVENTS, REGISTRATIONS
from services.sink.core.objects import Manifest
from services.sink.ports import Kind
from tests.sim.agents import Agent
from tests.sim.log import Log, NotAnsweredError, at_once
from tests.sim.sinks import Kubernetes
from tests.sim.trust import OPERATOR, signed
from tests.support.policies import policy

NAMESPACE, GROUP, POLICY = "bookinfo", "ratings", "machines"
NOBODY = "000000000000"
"""An account that no machine of the world is of."""
NOTE = "example.com/note"
HOLD = "example.com/hold"
NOTICED_MS = 8_000
"""By then after an edit of a policy no sink acts upon what it said before: the longest fault, and time to spare."""


class Users:
    """Everybody but the sink who writes to Kubernetes, and what they did."""

    def __init__(self, cluster: Kubernetes, log: Log, enforcement: Enforcement) -> None:
        self.cluster, self.log, self.enforcement = cluster, log, enforcement
        self.allowing = self.expelling = False
        """Whether the world's machines may join now, and whether who has joined may not stay."""
        self.expulsions: list[tuple[int, float]] = []
        """From when until when, in milliseconds, who has joined may not stay."""
        self.uids: set[str] = set()
        """Of the WARs that were deleted, and of the groups."""
        self.deleted: dict[bytes, tuple[str, int, str]] = {}
        """Of each workload the WAR that was deleted last: its uid, the group's generation then, and the session that
        had been told of it and must end (empty where none had)."""
        self.notes: dict[str, str] = {}
        """By uid, what people noted last on it, as annotation and label."""

    def did_away_with(self, war: Manifest) -> bool:
        """Whether a WAR is gone because somebody deleted it, or its group."""
        about = war["metadata"]
        return bool(self.uids & {about["uid"], *(owner["uid"] for owner in about["ownerReferences"])})

    def expelled(self, joined_ms: int, gone_ms: int) -> bool:
        """Whether policies were a reason to delete one who had joined then; they are noticed late."""
        return any(joined_ms <= end and begin <= gone_ms <= end + NOTICED_MS for begin, end in self.expulsions)

    def make_group(self) -> None:
        manifest = {"metadata": {"namespace": NAMESPACE, "name": GROUP}, "spec": {"template": {"network": "0"}}}
        with self.cluster.by_user():
            at_once(self.cluster.create(Kind.GROUP, manifest))

    def allow(self) -> None:
        """Let the world's machines join."""
        with self.cluster.by_user():
            self.cluster.put(Kind.POLICY, policy(NAMESPACE, POLICY, enforcement=self.enforcement.value))
        self.allowing = True
        self._expel(expelling=False)

    def _expel(self, *, expelling: bool) -> None:
        if self.expelling and not expelling:
            self.expulsions[-1] = (self.expulsions[-1][0], self.log.now())
        if expelling and not self.expelling:
            self.expulsions.append((self.log.now(), math.inf))
        self.expelling = expelling

    def forbid(self, *, entirely: bool) -> None:
        """Let nobody join any more: delete the policy, or edit it so that it means others."""
        self.allowing = False
        if entirely:
            self._expel(expelling=False)
            if (Kind.POLICY, NAMESPACE, POLICY) in self.cluster.objects:
                with self.cluster.by_user():
                    self.cluster.remove(Kind.POLICY, NAMESPACE, POLICY)
            return
        nobodys = {"aws": {"accounts": [NOBODY], "ec2": {}}}
        others = [{"workloads": [nobodys], "onboardTo": [{"workloadGroupSelector": {}}]}]
        with self.cluster.by_user():
            self.cluster.put(Kind.POLICY, policy(NAMESPACE, POLICY, allow=others, enforcement=self.enforcement.value))
        self._expel(expelling=self.enforcement is Enforcement.CONTINUOUS)
        if self.expelling:
            # Nobody can tell any more who did away with a WAR: its session is refused, and may join again as it is.
            self.deleted = {key: (uid, generation, "") for key, (uid, generation, _) in self.deleted.items()}

    def group(self) -> dict[str, Any] | None:
        found = self.cluster.objects.get((Kind.GROUP, NAMESPACE, GROUP))
        return copy.deepcopy(dict(found)) if found else None

    def edit(self, network: str) -> None:
        if group := self.group():
            group["spec"] = {"template": {"network": network}}
            with self.cluster.by_user():
                at_once(self.cluster.update(Kind.GROUP, group))

    def remove_group(self) -> bool:
        """Delete the group, and with it all that it owns; return whether there was one."""
        group = self.group()
        if group:
            self.uids.add(group["metadata"]["uid"])
            self.deleted.clear()
            with self.cluster.by_user():
                self.cluster.remove(Kind.GROUP, NAMESPACE, GROUP)
        return group is not None

    def touch(self, agent: Agent, note: str, *, alone: bool) -> None:
        """Note something on what the sink wrote of an agent: whatever it is about to write next conflicts.

        ``alone`` takes away every other annotation, the sink's own too.
        """
        for kind in (Kind.WAR, Kind.ENTRY):
            if one := self._of(kind, agent):
                about = one["metadata"]
                others = {} if alone else about.get("annotations") or {}
                about["annotations"] = {**others, NOTE: note}
                about["labels"] = {**(about.get("labels") or {}), NOTE: note}
                self._update(kind, one)
                self.notes[about["uid"]] = note

    def hold(self, agent: Agent, *, held: bool) -> None:
        """Put a finalizer on an agent's WAR, or take it away: what is deleted meanwhile goes only then."""
        if (one := self._of(Kind.WAR, agent)) and ("deletionTimestamp" not in one["metadata"] or not held):
            one["metadata"]["finalizers"] = [HOLD] if held else []
            self._update(Kind.WAR, one)

    def _of(self, kind: Kind, agent: Agent) -> dict[str, Any] | None:
        found = self.cluster.objects.get((kind, NAMESPACE, agent.session.introduction.key.war_name))
        return copy.deepcopy(dict(found)) if found else None

    def _update(self, kind: Kind, one: Manifest) -> None:
        with self.cluster.by_user():
            at_once(self.cluster.update(kind, one))

    def delete(self, agent: Agent) -> None:
        """Delete an agent's WAR."""
        name = agent.session.introduction.key.war_name
        war, group = self.cluster.objects.get((Kind.WAR, NAMESPACE, name)), self.group()
        if war and group:
            uid = war["metadata"]["uid"]
            self.uids.add(uid)
            told = [r.value for r in self.log.read(REGISTRATIONS, agent.partition, 0) if r.key == agent.key and r.value]
            answer = decode_answer(told[-1]) if told else None
            session = answer.session if isinstance(answer, Registered) and answer.uid == uid else ""
            session = "" if self.expelling else session
            self.deleted[agent.key] = (uid, group["metadata"]["generation"], session)
            with self.cluster.by_user():
                self.cluster.remove(Kind.WAR, NAMESPACE, name)

    def release(self) -> None:
        """Release the brake of every partition."""
        order = Override(action=OverrideAction.RELEASE_BRAKE, who="ann", why="known outage")
        for partition in range(self.log.count):
            told = signed(OPERATOR, order.model_copy(update={"after": self.log.part(EVENTS, partition).end}), partition)
            with suppress(NotAnsweredError):
                self.log.append(EVENTS, partition, CONTROL_KEY, told.to_json())
