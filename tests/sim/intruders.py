"""Who should not get in: twins and thieves with copied credentials, forgers, liars, machines that no policy allows."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from random import Random

from schemas.codec import decode_event
from schemas.credentials import Chain, Proof
from schemas.events import (
    AgentEvent,
    Connect,
    Control,
    Disconnect,
    Heartbeat,
    Introduction,
    Override,
    OverrideAction,
    Resumed,
    RoleChecked,
    Tick,
    Trusted,
)
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from services.agent.core.chain import LINK_BYTES, HashChain
from tests.sim.agents import ACCOUNT, OTHER_ACCOUNT, Agent, introduction
from tests.sim.faults import STORM_MS
from tests.sim.log import Log, NotAnsweredError, Rec
from tests.sim.trust import BUNDLE, credential, signed

LIAR, STRANGER = 7, 8
"""Workloads that the world has beside its own: their numbers."""
FEWEST = 32
"""Links of a chain that is made for one record."""
NOBODY = "00000000-0000-4000-8000-00000000dead"


class Usurper:
    """Somebody who may write heartbeats, and writes what only owners and operators may say: of his own, and copies."""

    def __init__(self, log: Log, seed: int, forged: set[tuple[int, int]]) -> None:
        self.log, self.forged = log, forged
        self.rng = Random(f"usurper's/{seed}")
        self.until_ms = log.now() + STORM_MS

    def step(self) -> None:
        """Speak about three times a second, as long as there are faults."""
        if self.log.up and self.log.now() < self.until_ms and self.rng.random() < 0.15:
            self._speak(self.rng.randrange(self.log.count))

    def _speak(self, partition: int) -> None:
        part = self.log.part(EVENTS, partition)
        control = [record for record in part.records if record.key == CONTROL_KEY]
        copied = self.rng.choice(control) if control and self.rng.random() < 0.4 else None
        value = copied.value if copied is not None else self._own(partition, control)
        if copied is None or not self._is_genuine_tick(partition, copied):
            self.forged.add((partition, part.end))
        with suppress(NotAnsweredError):
            self.log.append(EVENTS, partition, CONTROL_KEY, value)

    def _is_genuine_tick(self, partition: int, record: Rec) -> bool:
        """Whether an owner said so: it closes the window that it names, whoever writes it again (ADR 0014)."""
        return (partition, record.offset) not in self.forged and isinstance(
            decode_event(record.key, record.value), Tick
        )

    def _own(self, partition: int, control: list[Rec]) -> bytes:
        """Return a record as an owner or an operator would write it, signed by nobody that counts."""
        end = self.log.part(EVENTS, partition).end
        ticks = [tick for one in control if isinstance(tick := decode_event(one.key, one.value), Tick)]
        event: Control = self.rng.choice(
            (
                Tick(window=ticks[-1].window + 1 if ticks else 0, owner=NOBODY),
                Resumed(owner=NOBODY, after=end),
                Trusted(bundle="sha256:garbage", owner=NOBODY, after=end),
                Trusted(bundle=BUNDLE, owner=NOBODY, after=end),
                Override(action=OverrideAction.RELEASE_BRAKE, who="mallory", why="so", after=end),
                Override(action=OverrideAction.HOLD_REMOVALS, who="mallory", why="so", after=end),
                *self._roles(partition),
            )
        )
        if self.rng.random() < 0.5:
            return event.to_json()
        return signed("mallory", event, partition).to_json()

    def _roles(self, partition: int) -> list[RoleChecked]:
        """Return what would give whoever connected last a role that nobody confirmed."""
        for record in reversed(self.log.part(EVENTS, partition).records):
            event = decode_event(record.key, record.value)
            if isinstance(event, Connect) and record.key is not None:
                told = RoleChecked(
                    workload=record.key.decode(), session=event.session, owner=NOBODY, asked=record.offset
                )
                return [told.model_copy(update={"account": ACCOUNT, "role": "admin"})]
        return []


class Intruders:
    """All of them, and which records are theirs."""

    def __init__(self, log: Log, seed: int) -> None:
        self.log = log
        self.rng = Random(f"intruders/{seed}")
        self.twins: list[Agent] = []
        self.liars: list[Agent] = []
        """They show the credential of another machine."""
        self.strangers: list[Agent] = []
        """They prove who they are, and nobody allows them."""
        self.forged: set[tuple[int, int]] = set()
        """Partition and offset of every record by somebody who has neither a credential nor the links of a session."""
        self.usurper = Usurper(log, seed, self.forged) if Random(f"usurper/{seed}").random() < 0.4 else None
        if self.rng.random() < 0.3:
            self.liars.append(Agent(log, LIAR, Random(f"liar/{seed}"), shows=introduction(0, "v1").identity))
        if self.rng.random() < 0.3:
            self.strangers.append(Agent(log, STRANGER, Random(f"stranger/{seed}"), account=OTHER_ACCOUNT))

    @property
    def machines(self) -> list[Agent]:
        """All that run agents."""
        return [*self.twins, *self.liars, *self.strangers]

    def step(self) -> None:
        for machine in self.machines:
            machine.step()
        if self.usurper is not None:
            self.usurper.step()

    def clone(self, one: Agent) -> Agent:
        """Start a machine that shows the credential of another, and has none of its secrets."""
        twin = Agent(self.log, one.number, Random(self.rng.random()))
        self.twins.append(twin)
        return twin

    def act(self, what: str, victim: Agent) -> None:
        """Write one record about a machine."""
        acts: dict[str, Callable[[Agent], None]] = {
            "heartbeat": self._heartbeat,
            "goodbye": self._goodbye,
            "connect": self._connect,
            "steal": self._steal,
            "replay": self._replay,
        }
        if self.log.up and victim.session.session:
            acts[what](victim)

    def _heartbeat(self, victim: Agent) -> None:
        """Keep a session alive, or renew its chain to one's own, with a link that is guessed or was shown before."""
        session = str(victim.session.session)
        own = Chain(anchor=self._guess(), length=FEWEST) if self.rng.random() < 0.3 else None
        seq = victim.session.seq + self.rng.randrange(4)
        self._forge(victim, Heartbeat(session=session, seq=seq, link=self._link(victim), chain=own))

    def _goodbye(self, victim: Agent) -> None:
        """End somebody else's session."""
        session, seq = str(victim.session.session), victim.session.seq + self.rng.randrange(4)
        self._forge(victim, Disconnect(session=session, seq=seq, link=self._link(victim)))

    def _connect(self, victim: Agent) -> None:
        """Begin a session, or introduce oneself in the living one, without the credential."""
        who = introduction(victim.number, "forged")
        proof = self._proof(introduction(victim.number + 1, "v1"))
        shown = proof if self.rng.random() < 0.7 else None
        if self.rng.random() < 0.5:
            self._forge(victim, Connect(session=self._fresh(), seq=0, workload=who, proof=shown))
        else:
            session, seq = str(victim.session.session), victim.session.seq
            link = self._link(victim)
            self._forge(victim, Heartbeat(session=session, seq=seq, link=link, workload=who, proof=shown))

    def _steal(self, victim: Agent) -> None:
        """Begin a session with the copied credential and every tail that was ever shown: nobody goes on with it."""
        shown = (getattr(event, "proof", None) for _, event in victim.said())
        tails = [tail for proof in shown if proof is not None for tail in proof.continues]
        who = introduction(victim.number, "stolen")
        self._append(victim, Connect(session=self._fresh(), seq=0, workload=who, proof=self._proof(who, tails[-4:])))

    def _replay(self, victim: Agent) -> None:
        """Write again what somebody has said under this key, byte by byte."""
        if records := [record for record, _ in victim.said()]:
            one = self.rng.choice(records)
            offset = self.log.part(EVENTS, victim.partition).end
            if (victim.partition, one.offset) in self.forged:
                self.forged.add((victim.partition, offset))
            with suppress(NotAnsweredError):
                self.log.append(EVENTS, victim.partition, one.key, one.value)

    def _proof(self, of: Introduction, tails: list[str] | None = None) -> Proof:
        chain = HashChain.of(self.rng.randbytes(LINK_BYTES), 0, FEWEST)
        return Proof(credential=credential(of.identity), chain=chain.seen_from(0), continues=tuple(tails or ()))

    def _link(self, victim: Agent) -> str | None:
        shown: list[str] = [link for _, event in victim.said() if (link := getattr(event, "link", None))]
        return self.rng.choice([None, self._guess(), *shown[-2:]])

    def _guess(self) -> str:
        return self.rng.randbytes(LINK_BYTES).hex()

    def _fresh(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def _forge(self, victim: Agent, event: AgentEvent) -> None:
        self.forged.add((victim.partition, self._append(victim, event)))

    def _append(self, victim: Agent, event: AgentEvent) -> int:
        offset = self.log.part(EVENTS, victim.partition).end
        with suppress(NotAnsweredError):
            self.log.append(EVENTS, victim.partition, victim.key, event.to_json())
        return offset
