"""Valid messages for the tests of this folder."""

from datetime import UTC, datetime

from schemas.actions import Said, Verb, Written
from schemas.credentials import Chain, Credential, JwtCredential, Proof
from schemas.events import (
    AgentSoftware,
    Connect,
    Disconnect,
    Event,
    Heartbeat,
    Introduction,
    Override,
    OverrideAction,
    Registration,
    Resumed,
    RoleChecked,
    Tick,
    Trusted,
    WorkloadReport,
)
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from schemas.message import Message
from schemas.names import CONTROL_KEY
from schemas.registrations import Ended, EndReason, RefusalReason, Refused, Registered
from schemas.rejected import Rejected, RejectReason
from schemas.removals import Release, Removal, Restore
from schemas.resource import GroupSnapshot, WarSpec
from schemas.workloads import Presence, Reason, Workload

SESSION = "0b2e7c1a-6f0d-4a6e-9d0a-3f9f4b1c2d3e"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EC2 = AwsIdentity(
    partition="aws",
    account="123456789012",
    region="us-east-2",
    zone="us-east-2b",
    ec2=Ec2Instance(instance_id="i-1234567890abcdef0"),
)
INTRODUCTION = Introduction(
    namespace="bookinfo",
    group="ratings",
    identity=Identity(aws=EC2),
    registration=Registration(
        agent=AgentSoftware(version="0.1.0"), workload=WorkloadReport(labels={"version": "v5", "city": "Zürich"})
    ),
)
KEY = INTRODUCTION.key.to_bytes()
SNAPSHOT = GroupSnapshot(name="ratings", uid="u", generation=2, resource_version="7", spec={"template": {"ports": {}}})
PROOF = Proof(
    credential=Credential(jwt=JwtCredential(issuer="corp", token="e30.e30.e30")),  # noqa: S106 - says nothing
    chain=Chain(anchor="ab" * 32),
)

EVENTS: dict[str, tuple[bytes, Event]] = {
    "connect": (KEY, Connect(session=SESSION, seq=0, workload=INTRODUCTION, sent_at=NOON)),
    "proven connect": (KEY, Connect(session=SESSION, seq=0, workload=INTRODUCTION, proof=PROOF, sent_at=NOON)),
    "heartbeat": (KEY, Heartbeat(session=SESSION, seq=1)),
    "linked heartbeat": (KEY, Heartbeat(session=SESSION, seq=1, link="ab" * 32, chain=Chain(anchor="cd" * 32))),
    "introducing heartbeat": (KEY, Heartbeat(session=SESSION, seq=2, workload=INTRODUCTION)),
    "disconnect": (KEY, Disconnect(session=SESSION, seq=3)),
    "tick": (CONTROL_KEY, Tick(window=7, owner=SESSION)),
    "resumed": (CONTROL_KEY, Resumed(owner=SESSION)),
    "trusted": (CONTROL_KEY, Trusted(bundle="sha256:" + "0" * 64, owner=SESSION)),
    "role check": (CONTROL_KEY, RoleChecked(workload=KEY.decode(), session=SESSION, role="web", owner=SESSION)),
    "override": (CONTROL_KEY, Override(action=OverrideAction.RELEASE_BRAKE, who="ada", why="it was the switch")),
    "scoped override": (
        CONTROL_KEY,
        Override(action=OverrideAction.HOLD_REMOVALS, who="ada", why="the cables move", scope="bookinfo/ratings"),
    ),
}
WORKLOAD = Workload(
    workload=INTRODUCTION,
    session=SESSION,
    presence=Presence.CONNECTED,
    reason=Reason.ESTABLISHED,
    since=NOON,
    partition=3,
    revision=41,
    window=7,
)
REMOVAL = Removal(
    namespace="bookinfo",
    name=INTRODUCTION.key.war_name,
    uid="u",
    spec=WarSpec(identity=INTRODUCTION.identity, registration=INTRODUCTION.registration, workload_group=SNAPSHOT),
    session=SESSION,
    reason=Reason.GRACE_EXPIRED,
    message="absent for 30 windows",
    removed_at=NOON,
    partition=3,
    revision=41,
    window=7,
)
RESTORE = Restore(removal=REMOVAL, who="ada", why="it is alive", for_seconds=3600)
RELEASE = Release(who="ada", why="datacenter b is gone", for_seconds=3600)
WRITTEN = Written(
    action=Verb.STATUS,
    kind="WorkloadAutoRegistration",
    namespace="bookinfo",
    name=INTRODUCTION.key.war_name,
    uid="u",
    resource_version="4711",
    conditions=(Said(type="AgentConnected", status="False", reason="AgentMissedWindows"),),
    partition=3,
    revision=41,
    session=SESSION,
    presence=Presence.ABSENT,
    reason=Reason.MISSED_WINDOWS,
)
ANSWERS: dict[str, Registered | Refused | Ended] = {
    "registered": Registered(session=SESSION, namespace="bookinfo", name="ratings-x", uid="u", snapshot=SNAPSHOT),
    "refused": Refused(session=SESSION, reason=RefusalReason.GROUP_NOT_FOUND, message="no such group"),
    "ended": Ended(session=SESSION, uid="u", reason=EndReason.DELETED, message="deleted"),
}
REJECTED = Rejected(
    reason=RejectReason.UNDECODABLE,
    message="not JSON",
    by="processor",
    topic="muster.events",
    partition=1,
    offset=2,
    timestamp=NOON,
    key=b"eA==",
    value=b"ew==",
)
OTHERS: list[Message] = [WORKLOAD, REJECTED, REMOVAL, RESTORE, RELEASE, WRITTEN]
ALL: list[Message] = [*(event for _, event in EVENTS.values()), *ANSWERS.values(), *OTHERS]
