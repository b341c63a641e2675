"""What is written to ``muster.events``: by agents, and by the owner of a partition.

Every event of an agent names its session and its place in it; the record's key names the workload. Times in a
body (``sentAt``) are the agent's own clock: shown to people, never used to decide (DESIGN.md, rule 2).
"""

import json
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.credentials import Chain, Link, Proof
from schemas.identity import Identity
from schemas.message import Message, Offset, Seq, Session
from schemas.names import MAX_NAME, MAX_NAMESPACE, WorkloadKey

Short = Annotated[str, StringConstraints(max_length=253)]
Words = Annotated[str, StringConstraints(max_length=1024)]
Scope = Annotated[str, StringConstraints(pattern=r"^[^/]+/[^/]+$", max_length=MAX_NAMESPACE + 1 + MAX_NAME)]
"""``<namespace>/<group>``."""


class AgentSoftware(Message):
    """The agent program itself."""

    version: Short


class AddressType(StrEnum):
    """From where an address can be reached."""

    VPC = "VPC"
    INTERNET = "INTERNET"


class Address(Message):
    """One address of the machine."""

    ip: Annotated[str, StringConstraints(min_length=2, max_length=45)]
    type: AddressType


class Host(Message):
    """The machine."""

    addresses: tuple[Address, ...] = ()


class Settings(Message):
    """How peers should reach the workload."""

    connected_over: AddressType = AddressType.VPC


class Istio(Message):
    """Istio's proxy on the machine."""

    version: Short


class Sidecar(Message):
    """The sidecar the agent manages."""

    istio: Istio | None = None


class WorkloadReport(Message):
    """What the machine's owner says of the workload."""

    labels: dict[str, str] = Field(default_factory=dict)


class Registration(Message):
    """What the agent reports of its machine; printed as ``Spec.Registration`` of the WAR."""

    agent: AgentSoftware
    host: Host = Host()
    settings: Settings = Settings()
    sidecar: Sidecar = Sidecar()
    workload: WorkloadReport = WorkloadReport()


class Introduction(Message):
    """Who wants to join what, and with which registration."""

    namespace: str
    group: str
    identity: Identity
    registration: Registration

    @property
    def key(self) -> WorkloadKey:
        """The key a record with this introduction must have."""
        return WorkloadKey(self.namespace, self.group, self.identity.name)


class Connect(Message):
    """A new session begins."""

    v: Literal[1] = 1
    type: Literal["connect"] = "connect"
    session: Session
    seq: Seq
    workload: Introduction
    proof: Proof | None = None
    sent_at: AwareDatetime | None = None


class Heartbeat(Message):
    """The session lives. Every few minutes it repeats the introduction, so that lost state heals by itself."""

    v: Literal[1] = 1
    type: Literal["heartbeat"] = "heartbeat"
    session: Session
    seq: Seq
    link: Link | None = None
    """The next link of the session's chain (ADR 0007)."""
    chain: Chain | None = None
    """A new chain, where the old one ends with this event."""
    workload: Introduction | None = None
    proof: Proof | None = None
    """With an introduction: what would begin the session, should it be unknown."""
    sent_at: AwareDatetime | None = None


class Disconnect(Message):
    """A goodbye: the session ends on purpose."""

    v: Literal[1] = 1
    type: Literal["disconnect"] = "disconnect"
    session: Session
    seq: Seq
    link: Link | None = None
    reason: Short = "AgentStopping"
    sent_at: AwareDatetime | None = None


Signature = Annotated[str, StringConstraints(max_length=100)]
"""Ed25519, in base64, over the record's ``statement``: who may write heartbeats may write anything to this topic."""


class Control(Message):
    """A record that speaks for the processor, or for an operator (ADR 0014)."""

    def statement(self, partition: int) -> bytes:
        """Return what is signed: the partition that it is for, and every field but the signature, sorted."""
        told = self.model_dump(mode="json", exclude_none=True, exclude={"signature"})
        return f"muster-control\n{partition}\n{json.dumps(told, sort_keys=True, separators=(',', ':'))}".encode()


class Tick(Control):
    """The owner of the partition closes window ``window``; time passes by these alone."""

    v: Literal[1] = 1
    type: Literal["tick"] = "tick"
    window: Annotated[int, Field(ge=0)]
    owner: Session
    signature: Signature | None = None


class Resumed(Control):
    """A new owner took the partition: the window this lands in is void."""

    v: Literal[1] = 1
    type: Literal["resumed"] = "resumed"
    owner: Session
    after: Offset | None = None
    """The end of the partition as the writer saw it: what stands far behind that is a copy, or came too late."""
    signature: Signature | None = None


class Trusted(Control):
    """From here on the owner verifies with the trust bundle of this digest."""

    v: Literal[1] = 1
    type: Literal["trusted"] = "trusted"
    bundle: Annotated[str, StringConstraints(max_length=80)]
    owner: Session
    after: Offset | None = None
    """As of ``Resumed``."""
    signature: Signature | None = None


class RoleChecked(Control):
    """What STS said of the role a session claimed; appended by the owner, as the call is not a function of the log."""

    v: Literal[1] = 1
    type: Literal["role-checked"] = "role-checked"
    workload: Annotated[str, StringConstraints(max_length=1024)]
    """The workload's key: the record itself has the control key."""
    session: Session
    account: Annotated[str, StringConstraints(max_length=12)] = ""
    role: Annotated[str, StringConstraints(max_length=128)] | None = None
    """Name of the IAM role; None where STS did not confirm one, and ``message`` says why."""
    answered: bool = True
    """False where STS could not be asked: nothing is known then, and a role that is known stays."""
    asked: Offset | None = None
    """Offset of the record that claimed the role: a session that begins later, whatever it is called, did not."""
    message: Words = ""
    signature: Signature = ""
    owner: Session

    def statement(self, partition: int) -> bytes:
        """Return what is signed; without ``asked``, as it was before there was that field."""
        if self.asked is None:
            return "\n".join(("muster-role", self.workload, self.session, self.account, self.role or "")).encode()
        return super().statement(partition)


class OverrideAction(StrEnum):
    """What an operator can order."""

    RELEASE_BRAKE = "ReleaseBrake"
    HOLD_REMOVALS = "HoldRemovals"
    """Nobody of the scope is removed until it is resumed; the grace goes on being counted."""
    RESUME_REMOVALS = "ResumeRemovals"
    """Lift the hold of the scope; without a scope, every hold of the partition."""


class Override(Control):
    """An operator's order to the partition it is written to, with who and why."""

    v: Literal[1] = 1
    type: Literal["override"] = "override"
    action: OverrideAction
    who: Short
    why: Words
    scope: Scope | None = None
    """The group that removals are held or resumed of; without it, the whole partition."""
    after: Offset | None = None
    """As of ``Resumed``."""
    signature: Signature | None = None

    @model_validator(mode="after")
    def _brake_has_no_group(self) -> Self:
        if self.action is OverrideAction.RELEASE_BRAKE and self.scope is not None:
            raise ValueError("a brake is of a whole partition: it is released without a scope")
        return self


AgentEvent = Connect | Heartbeat | Disconnect
ControlEvent = Tick | Resumed | Trusted | RoleChecked | Override
Event = AgentEvent | ControlEvent
EVENT_TYPES = ("connect", "heartbeat", "disconnect", "tick", "resumed", "trusted", "role-checked", "override")
