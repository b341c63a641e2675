"""Random logs of one partition, as hypothesis strategies: agents that behave, and everything that may befall them."""

import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import strategies as st

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
from schemas.message import Message
from schemas.names import CONTROL_KEY
from services.processor.core.record import Effect, Record
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules

RULES = Rules(window_ms=1000, missed_windows=2, grace_windows=3, brake_least=3, forget_windows=4)
HASTY = Rules(window_ms=1000, missed_windows=1, grace_windows=1, brake_least=2, forget_windows=2)
rules = st.sampled_from((RULES, HASTY))
OWNER = str(uuid.UUID(int=1))


def introduction(number: int, version: str = "v1") -> Introduction:
    """Return the introduction of workload ``number``."""
    instance = Ec2Instance(instance_id=f"i-{number:017x}")
    aws = AwsIdentity(partition="aws", account="123456789012", region="us-east-2", zone="us-east-2b", ec2=instance)
    registration = Registration(agent=AgentSoftware(version=version))
    return Introduction(namespace="bookinfo", group="ratings", identity=Identity(aws=aws), registration=registration)


class Step(NamedTuple):
    """One thing that happens; ``workload`` and ``back`` select whose and which."""

    kind: str
    workload: int
    back: int
    pause: int


KINDS = (
    *("connect",) * 3,
    *("heartbeat",) * 6,
    *("tick",) * 5,
    "introduce",
    "upgrade",
    *("goodbye",) * 3,
    *("copy",) * 2,
    "late session",
    "wrong tick",
    "resumed",
    "override",
    "garbage",
)

_step = st.builds(
    Step,
    st.sampled_from(KINDS),
    st.integers(0, 4),
    st.integers(0, 5),
    st.sampled_from((0, 100, 600, 1000, 1000, 1000, 90_000, -5000)),
)


def _all(kind: str, but: int) -> list[Step]:
    """Everybody does the same, but one (or nobody)."""
    return [Step(kind, who, 0, 0) for who in range(5) if who != but]


# Singles alone would hardly ever brake a partition or outlive a grace: these make whole fleets act together.
_scene = st.one_of(
    _step.map(lambda step: [step]),
    st.integers(0, 5).map(lambda but: _all("connect", but)),
    st.integers(0, 5).map(lambda but: [*_all("heartbeat", but), Step("tick", 0, 0, 1000)]),
    st.integers(1, 4).map(lambda times: [Step("tick", 0, 0, 1000)] * times),
)
steps = st.lists(_scene, max_size=25).map(lambda scenes: [step for scene in scenes for step in scene])


@dataclass
class Agents:
    """Writes a log step by step; knows what each agent did, and asks a roll for the open window's number."""

    records: list[Record] = field(default_factory=list)
    sessions: dict[int, list[str]] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    now: int = 1_700_000_000_000
    minted: int = 100
    roll: Roll = field(default_factory=lambda: Roll(0, RULES))
    effects: list[tuple[Effect, ...]] = field(default_factory=list)

    def write(self, step: Step) -> None:
        """Append what this step makes of the log so far, if anything."""
        self.now += step.pause
        message = self._message(step)
        if message is None:
            return
        key, value = message
        self.append(key, value)

    def append(self, key: bytes | None, value: bytes) -> None:
        """Append a record at the next offset and fold it."""
        record = Record(len(self.records), self.now, key, value)
        self.records.append(record)
        self.effects.append(tuple(self.roll.fold(record)))

    def _message(self, step: Step) -> tuple[bytes | None, bytes] | None:
        if step.kind == "copy":
            behind = len(self.records) - 1 - step.back
            found = self.records[behind] if behind >= 0 else None
            return (found.key, found.value or b"") if found and found.key != CONTROL_KEY else None
        if step.kind == "garbage":
            return b"a/b/c", b"\xff\x00{"
        control = {
            "tick": Tick(window=self.roll.window, owner=OWNER),
            "wrong tick": Tick(window=self.roll.window + step.back + 1, owner=OWNER),
            "resumed": Resumed(owner=OWNER),
            "override": Override(action=OverrideAction.RELEASE_BRAKE, who="ann", why="known outage"),
        }.get(step.kind)
        return (CONTROL_KEY, control.to_json()) if control else self._agent(step)

    def _agent(self, step: Step) -> tuple[bytes, bytes] | None:
        who = introduction(step.workload, "v2" if step.kind == "upgrade" else "v1")
        sessions = self.sessions.setdefault(step.workload, [])
        if step.kind == "connect":
            self.minted += 1
            sessions.append(str(uuid.UUID(int=self.minted)))
        if not sessions:
            return None
        session = sessions[max(0, len(sessions) - 1 - step.back)] if step.kind == "late session" else sessions[-1]
        seq = self.seqs[session] = self.seqs.get(session, -1) + 1
        event: Message
        match step.kind:
            case "connect" | "late session":
                event = Connect(session=session, seq=seq, workload=who)
            case "heartbeat":
                event = Heartbeat(session=session, seq=seq)
            case "goodbye":
                event = Disconnect(session=session, seq=seq)
            case _:
                event = Heartbeat(session=session, seq=seq, workload=who)
        return who.key.to_bytes(), event.to_json()


def written(script: list[Step], rules: Rules = RULES) -> Agents:
    """Return the log that these steps make, folded once from zero."""
    agents = Agents(roll=Roll(0, rules))
    for step in script:
        agents.write(step)
    return agents


def picture(roll: Roll) -> dict[str, object]:
    """Return everything a roll knows that can matter later."""
    attendance = roll.attendance
    return {
        "rows": roll.rows,
        "state": roll.state,
        "sheet": attendance.sheet,
        "last": attendance.last,
        "missed": attendance.missed,
        "unknown": attendance.unknown,
        "absent": roll.absent,
        "removed": roll.removed,
        "void": roll.void,
        "overridden": roll.overridden,
    }
