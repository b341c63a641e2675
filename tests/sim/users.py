"""People with kubectl: they delete registrations, edit groups, touch what the sink writes, and release the brake."""

import copy
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


class Users:
    """Everybody but the sink who writes to Kubernetes, and what they did."""

    def __init__(self, cluster: Kubernetes, log: Log, enforcement: Enforcement) -> None:
        self.cluster, self.log, self.enforcement = cluster, log, enforcement
        self.allowing = self.expelling = self.expelled = False
        """Whether the world's machines may join now, whether who has joined may not stay, and whether that ever was."""
        self.uids: set[str] = set()
        """Of the WARs that were deleted, and of the groups."""
        self.deleted: dict[bytes, tuple[str, int, str]] = {}
        """Of each workload the WAR that was deleted last: its uid, the group's generation then, and the session that
        had been told of it and must end (empty where none had)."""

    def did_away_with(self, war: Manifest) -> bool:
        """Whether a WAR is gone because somebody deleted it, or its group."""
        about = war["metadata"]
        return bool(self.uids & {about["uid"], *(owner["uid"] for owner in about["ownerReferences"])})

    def make_group(self) -> None:
        manifest = {"metadata": {"namespace": NAMESPACE, "name": GROUP}, "spec": {"template": {"network": "0"}}}
        at_once(self.cluster.create(Kind.GROUP, manifest))

    def allow(self) -> None:
        """Let the world's machines join."""
        self.cluster.put(Kind.POLICY, policy(NAMESPACE, POLICY, enforcement=self.enforcement.value))
        self.allowing, self.expelling = True, False

    def forbid(self, *, entirely: bool) -> None:
        """Let nobody join any more: delete the policy, or edit it so that it means others."""
        self.allowing = False
        if entirely:
            self.expelling = False
            if (Kind.POLICY, NAMESPACE, POLICY) in self.cluster.objects:
                self.cluster.remove(Kind.POLICY, NAMESPACE, POLICY)
            return
        nobodys = {"aws": {"accounts": [NOBODY], "ec2": {}}}
        others = [{"workloads": [nobodys], "onboardTo": [{"workloadGroupSelector": {}}]}]
        self.cluster.put(Kind.POLICY, policy(NAMESPACE, POLICY, allow=others, enforcement=self.enforcement.value))
        self.expelling = self.enforcement is Enforcement.CONTINUOUS
        self.expelled = self.expelled or self.expelling
        if self.expelling:
            # Nobody can tell any more who did away with a WAR: its session is refused, and may join again as it is.
            self.deleted = {key: (uid, generation, "") for key, (uid, generation, _) in self.deleted.items()}

    def group(self) -> dict[str, Any] | None:
        found = self.cluster.objects.get((Kind.GROUP, NAMESPACE, GROUP))
        return copy.deepcopy(dict(found)) if found else None

    def edit(self, network: str) -> None:
        if group := self.group():
            group["spec"] = {"template": {"network": network}}
            at_once(self.cluster.update(Kind.GROUP, group))

    def remove_group(self) -> bool:
        """Delete the group, and with it all that it owns; return whether there was one."""
        group = self.group()
        if group:
            self.uids.add(group["metadata"]["uid"])
            self.deleted.clear()
            self.cluster.remove(Kind.GROUP, NAMESPACE, GROUP)
        return group is not None

    def touch(self, agent: Agent, note: str) -> None:
        """Annotate what the sink wrote of an agent: whatever it is about to write next conflicts."""
        for kind in (Kind.WAR, Kind.ENTRY):
            name = agent.session.introduction.key.war_name
            if one := copy.deepcopy(self.cluster.objects.get((kind, NAMESPACE, name))):
                about = {**one["metadata"], "annotations": {"note": note}}
                at_once(self.cluster.update(kind, {**one, "metadata": about}))

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
            self.cluster.remove(Kind.WAR, NAMESPACE, name)

    def release(self) -> None:
        """Release the brake of every partition."""
        order = Override(action=OverrideAction.RELEASE_BRAKE, who="ann", why="known outage")
        for partition in range(self.log.count):
            told = signed(OPERATOR, order.model_copy(update={"after": self.log.part(EVENTS, partition).end}), partition)
            with suppress(NotAnsweredError):
                self.log.append(EVENTS, partition, CONTROL_KEY, told.to_json())
