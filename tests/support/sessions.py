"""A machine, session ids, and answers to them, for tests of the agent."""

from schemas.credentials import Credential, JwtCredential
from schemas.events import AgentSoftware, Introduction, Registration
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from schemas.registrations import Ended, EndReason, RefusalReason, Refused, Registered
from schemas.resource import GroupSnapshot
from services.agent.core.pacing import Pacing

AWS = AwsIdentity(
    partition="aws",
    account="123456789012",
    region="us-east-2",
    zone="us-east-2b",
    ec2=Ec2Instance(instance_id="i-1234567890abcdef0"),
)
INTRODUCTION = Introduction(
    namespace="bookinfo",
    group="ratings",
    identity=Identity(aws=AWS),
    registration=Registration(agent=AgentSoftware(version="v1.4.0")),
)
SNAPSHOT = GroupSnapshot(name="ratings", uid="g", generation=1, resource_version="7")
SESSIONS = [f"00000000-0000-4000-8000-{n:012d}" for n in range(6)]
PACING = Pacing(heartbeat_ms=5_000, introduction_ms=12_000, patience_ms=9_000, drain_ms=4_000)


CREDENTIAL = Credential(jwt=JwtCredential(issuer="corp", token="a.b.c"))  # noqa: S106 - it opens nothing
"""What an agent shows; no verifier looks at it here."""


def answer_to(session: str, kind: str, uid: str = "u") -> Registered | Refused | Ended:
    if kind == "registered":
        return Registered(session=session, namespace="bookinfo", name="ratings-x", uid=uid, snapshot=SNAPSHOT)
    if kind == "refused":
        return Refused(session=session, reason=RefusalReason.GROUP_NOT_FOUND, message="no group")
    if kind == "duplicate":
        return Refused(session=session, reason=RefusalReason.DUPLICATE_IDENTITY, message="somebody lives there")
    if kind == "untaken":
        return Refused(session=session, reason=RefusalReason.INVALID_EVENT, message="Oversize: 70000 bytes")
    return Ended(session=session, uid=uid, reason=EndReason.DELETED, message="deleted")
