"""Random logs of one partition, as hypothesis strategies: agents that behave, and everything that may befall them."""

import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import strategies as st

from schemas.events import (
    AgentSoftware,
    Connect,
    ControlEvent,
    Disconnect,
    Heartbeat,
    Introduction,
    Override,
    OverrideAction,
    Registration,
    Resumed,
    RoleChecked,
    Tick,
    Trusted,
)
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from schemas.message import Message
from schemas.names import CONTROL_KEY
from services.processor.core.record import Effect, Record
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from tests.laws.chains import BUNDLE, LENGTH, SIGNED, ChainOf, WordTrust, proof, signature_by

RULES = Rules(window_ms=1000, missed_windows=2, grace_windows=3, brake_least=3, forget_windows=4)
HASTY = Rules(window_ms=1000, missed_windows=1, grace_windows=1, brake_least=2, forget_windows=2)
rules = st.sampled_from((RULES, HASTY))
proofs = st.sampled_from(("none", "late", "first", "signed"))
"""Whether agents prove who they are: never, or, from somewhere in the log or its beginning on, to good purpose.

``signed``: from the beginning on, and control records must be signed too.
"""
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
    *("heir",) * 3,
    "bad credential",
    *("renew",) * 2,
    "forged",
    "trusted",
    "role",
    "wrong tick",
    "resumed",
    "override",
    *("hold", "resume") * 2,
    *("control copy", "forged tick", "forged resumed", "forged trusted", "forged override"),
    "garbage",
)
DENIED, CONFIRMED, ROLE_OF_THE_LAST, UNANSWERED, REPLAYED, FORGED = range(6)
"""What is said of a role, by ``back``."""
_SCOPES = (None, "bookinfo/ratings", "bookinfo/ratings", None, "bookinfo/ratings", "bookinfo/reviews")

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
_life = st.lists(
    st.sampled_from(
        ("heartbeat", "heartbeat", "renew", "forged", "introduce", "role", "heir", "unanswered", "denied", "tick")
    ),
    max_size=12,
)
_OF_ROLES = {"role": CONFIRMED, "unanswered": UNANSWERED, "denied": DENIED}
_scene = st.one_of(
    st.builds(
        lambda who, life: [
            Step("role" if kind in _OF_ROLES else kind, who, _OF_ROLES.get(kind, 0), 1000) for kind in ("heir", *life)
        ],
        st.integers(0, 4),
        _life,
    ),
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
    proven: bool = False
    """Whether they prove who they are; else they are as agents were before version 0.2."""
    signed: bool = False
    """Whether the bundle demands signed control records; else whoever writes one is believed."""
    chains: dict[str, ChainOf] = field(default_factory=dict)
    roll: Roll = field(default_factory=lambda: Roll(0, RULES, trust=WordTrust()))
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
        if step.kind == "control copy":
            said = [one for one in self.records if one.key == CONTROL_KEY] if self.signed else []
            return (CONTROL_KEY, said[max(0, len(said) - 1 - step.back)].value or b"") if said else None
        if step.kind.startswith("forged ") and not self.signed:
            return None
        if step.kind == "trusted" and not self.proven:
            return None
        if step.kind == "garbage":
            return b"a/b/c", b"\xff\x00{"
        control: dict[str, ControlEvent] = {
            "tick": Tick(window=self.roll.window, owner=OWNER),
            "wrong tick": Tick(window=self.roll.window + step.back + 1, owner=OWNER),
            "resumed": Resumed(owner=OWNER),
            "trusted": Trusted(bundle=SIGNED if self.signed else BUNDLE, owner=OWNER),
            "role": self._role(step),
            "override": Override(action=OverrideAction.RELEASE_BRAKE, who="ann", why="known outage"),
            "hold": Override(action=OverrideAction.HOLD_REMOVALS, who="ann", why="move", scope=_SCOPES[step.back]),
            "resume": Override(action=OverrideAction.RESUME_REMOVALS, who="bob", why="done", scope=_SCOPES[step.back]),
            "forged tick": Tick(window=self.roll.window, owner=OWNER),
            "forged resumed": Resumed(owner=OWNER),
            "forged trusted": Trusted(bundle=BUNDLE, owner=OWNER),
            "forged override": Override(action=OverrideAction.HOLD_REMOVALS, who="mallory", why="so"),
        }
        event = control.get(step.kind)
        return (CONTROL_KEY, self._signed(event, step).to_json()) if event else self._agent(step)

    def _signed(self, event: ControlEvent, step: Step) -> ControlEvent:
        """Sign a record as the log demands it: with the key of whoever says such things, or of somebody else."""
        if not self.signed and not isinstance(event, RoleChecked):
            return event
        if isinstance(event, Resumed | Trusted | Override):
            # Whoever takes breath for 600 ms began to write it long ago.
            event = event.model_copy(update={"after": 0 if step.pause == 600 else len(self.records)})
        forged = step.kind.startswith("forged ") or (step.kind == "role" and step.back == FORGED)
        by = "agent" if forged else "ann" if isinstance(event, Override) else "owner"
        return event.model_copy(update={"signature": signature_by(by, event.statement(0))})

    def _role(self, step: Step) -> RoleChecked:
        sessions = self.sessions.get(step.workload) or [OWNER]
        session = sessions[max(0, len(sessions) - (2 if step.back == ROLE_OF_THE_LAST else 1))]
        key = introduction(step.workload).key.to_bytes()
        row = self.roll.rows.get(key)
        return RoleChecked(
            workload=key.decode(),
            session=session,
            account="123456789012",
            role=None if step.back in {DENIED, UNANSWERED} else "web",
            answered=step.back != UNANSWERED,
            asked=len(self.records) - 1 if row is not None and step.back != REPLAYED else 0,
            owner=OWNER,
        )

    def _agent(self, step: Step) -> tuple[bytes, bytes] | None:
        who = introduction(step.workload, "v2" if step.kind == "upgrade" else "v1")
        sessions = self.sessions.setdefault(step.workload, [])
        before = sessions[-1] if sessions else None
        if step.kind in {"connect", "heir", "bad credential"}:
            self.minted += 1
            sessions.append(str(uuid.UUID(int=self.minted)))
        if not sessions:
            return None
        session = sessions[max(0, len(sessions) - 1 - step.back)] if step.kind == "late session" else sessions[-1]
        seq = self.seqs[session] = self.seqs.get(session, -1) + 1
        event: Connect | Heartbeat | Disconnect
        match step.kind:
            case "connect" | "late session" | "heir" | "bad credential":
                event = Connect(session=session, seq=seq, workload=who)
            case "heartbeat" | "forged" | "renew":
                event = Heartbeat(session=session, seq=seq)
            case "goodbye":
                event = Disconnect(session=session, seq=seq)
            case _:
                event = Heartbeat(session=session, seq=seq, workload=who)
        told = self._prove(event, step, before) if self.proven else event
        return who.key.to_bytes(), told.to_json()

    def _prove(self, event: Connect | Heartbeat | Disconnect, step: Step, before: str | None) -> Message:
        """Add credential, chain and link, as the step would have them."""
        chain = self.chains.setdefault(event.session, ChainOf(event.session))
        if isinstance(event, Connect):
            heir = step.kind == "heir" and before is not None and before in self.chains
            tails = (self.chains[before].tail,) if heir and before is not None else ()
            token = "bad" if step.kind == "bad credential" else "good"
            commitment = chain.commit(event.seq) if not chain.links else chain.rest(event.seq)
            claims = step.kind != "connect"
            return event.model_copy(update={"proof": proof(commitment, token, tails, role=claims)})
        if not chain.links:
            return event
        link = chain.link(event.seq) if step.kind != "forged" else "11" * 32
        if isinstance(event, Disconnect):
            return event.model_copy(update={"link": link})
        shown = proof(chain.rest(event.seq), "good") if event.workload is not None else None
        ends = event.seq - chain.base == LENGTH - 1
        renewed = chain.commit(event.seq) if step.kind == "renew" or ends else None
        return event.model_copy(update={"link": link, "proof": shown, "chain": renewed})


def written(script: list[Step], rules: Rules = RULES, proofs: str = "none") -> Agents:
    """Return the log that these steps make, folded once from zero."""
    agents = Agents(roll=Roll(0, rules, trust=WordTrust()), proven=proofs != "none", signed=proofs == "signed")
    if proofs in {"first", "signed"}:
        agents.write(Step("trusted", 0, 0, 0))
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
        "trusted": roll.trusted,
        "keys": roll.keys,
        "obeyed": roll.obeyed,
        "held": roll.held,
    }
