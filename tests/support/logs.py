"""Builders of records of one partition of ``muster.events``: a log as a test would tell it."""

import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.events import (
    AgentSoftware,
    Connect,
    Disconnect,
    Heartbeat,
    Introduction,
    Override,
    OverrideAction,
    Registration,
    Resumed,
    Tick,
)
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from schemas.names import CONTROL_KEY

OWNER = str(uuid.UUID(int=1))
START_MS = 1_700_000_000_000


class LogRecord(NamedTuple):
    """One record; ``timestamp`` is the broker's, in milliseconds since the epoch."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def introduction(number: int, version: str = "v1.0.0", group: str = "ratings") -> Introduction:
    """Return the introduction of EC2 workload ``number``."""
    instance = Ec2Instance(instance_id=f"i-{number:017x}")
    aws = AwsIdentity(partition="aws", account="123456789012", region="us-east-2", zone="us-east-2b", ec2=instance)
    return Introduction(
        namespace="bookinfo",
        group=group,
        identity=Identity(aws=aws),
        registration=Registration(agent=AgentSoftware(version=version)),
    )


def key(number: int) -> bytes:
    """Return the record key of workload ``number``."""
    return introduction(number).key.to_bytes()


def session(number: int) -> str:
    """Return a session's UUID."""
    return str(uuid.UUID(int=0xA0000 + number))


@dataclass
class Log:
    """A log under construction; ``now`` is the broker's clock and moves only by ``pass_ms``."""

    records: list[LogRecord] = field(default_factory=list)
    now: int = START_MS
    window: int = 0

    def append(self, raw_key: bytes | None, value: bytes | None) -> int:
        """Append whatever bytes; return the offset."""
        self.records.append(LogRecord(len(self.records), self.now, raw_key, value))
        return len(self.records) - 1

    def connect(self, who: int, of: int = 0, seq: int = 0) -> int:
        return self.append(key(who), Connect(session=session(of), seq=seq, workload=introduction(who)).to_json())

    def heartbeat(self, who: int, of: int = 0, seq: int = 1, introduces: str | None = None) -> int:
        workload = introduction(who, introduces) if introduces else None
        return self.append(key(who), Heartbeat(session=session(of), seq=seq, workload=workload).to_json())

    def goodbye(self, who: int, of: int = 0, seq: int = 2) -> int:
        return self.append(key(who), Disconnect(session=session(of), seq=seq).to_json())

    def tick(self, after_ms: int = 1000, window: int | None = None) -> int:
        """Let time pass and append a tick; by default it names the open window, which it closes."""
        self.now += after_ms
        named = self.window if window is None else window
        if window is None:
            self.window += 1
        return self.append(CONTROL_KEY, Tick(window=named, owner=OWNER).to_json())

    def resumed(self) -> int:
        return self.append(CONTROL_KEY, Resumed(owner=OWNER).to_json())

    def release(self) -> int:
        order = Override(action=OverrideAction.RELEASE_BRAKE, who="ann", why="known outage")
        return self.append(CONTROL_KEY, order.to_json())

    def hold(self, scope: str | None = None) -> int:
        order = Override(action=OverrideAction.HOLD_REMOVALS, who="ann", why="the racks move", scope=scope)
        return self.append(CONTROL_KEY, order.to_json())

    def resume(self, scope: str | None = None) -> int:
        order = Override(action=OverrideAction.RESUME_REMOVALS, who="bob", why="they moved", scope=scope)
        return self.append(CONTROL_KEY, order.to_json())
