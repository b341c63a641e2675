"""An agent of the world: the real session machine, a producer, a clock of its own, and a power supply that may fail."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from schemas.codec import Rejection, decode_answer, decode_event
from schemas.events import Address, AddressType, AgentSoftware, Event, Host, Introduction, Registration, WorkloadReport
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from schemas.topics import EVENTS, REGISTRATIONS
from services.agent.core import session
from services.agent.core.chain import LINK_BYTES
from services.agent.core.exchange import Answered, Beat, Begin, Exit, Flushed, Input, Remember, Send, Stop, Wait
from services.agent.core.moves import AgentSession, State
from services.agent.core.pacing import Pacing
from tests.sim.log import Log, Rec, Sender
from tests.sim.trust import credential

PACING = Pacing(
    heartbeat_ms=400,
    introduction_ms=3_000,
    retry_ms=1_000,
    patience_ms=3_000,
    backoff_ms=200,
    backoff_cap_ms=1_600,
)
ACCOUNT, OTHER_ACCOUNT = "123456789012", "999999999999"
_YEAR_MS = 365 * 24 * 3600 * 1000


def introduction(number: int, version: str, account: str = ACCOUNT, place: int = 0) -> Introduction:
    """Return the introduction of workload ``number``; in another ``place`` it has another address and label."""
    instance = Ec2Instance(instance_id=f"i-{number:017x}")
    aws = AwsIdentity(partition="aws", account=account, region="us-east-2", zone="us-east-2b", ec2=instance)
    host = Host(addresses=(Address(ip=f"172.31.{5 + place}.{number + 1}", type=AddressType.VPC),))
    labels = {"rack": f"r{place}"} if place else {}
    registration = Registration(agent=AgentSoftware(version=version), host=host, workload=WorkloadReport(labels=labels))
    return Introduction(namespace="bookinfo", group="ratings", identity=Identity(aws=aws), registration=registration)


class Agent:
    """One machine; ``alive`` is the truth that nobody else in the world knows."""

    def __init__(
        self, log: Log, number: int, rng: Random, *, account: str = ACCOUNT, shows: Identity | None = None
    ) -> None:
        """``shows`` is whose credential it shows; its own where nothing else is said."""
        self.log, self.number, self.rng = log, number, rng
        self.version, self.account, self.place = "v1", account, 0
        self.shown = credential(shows or introduction(number, "v1", account).identity)
        self.key = introduction(number, "v1", account).key.to_bytes()
        self.partition = log.of(self.key)
        self.cut = False
        self.skew_ms, self.drift = 0, 1.0
        self.twice, self.delay_ms, self.swap = 0.0, 100, 0.0
        self.alive = False
        self.tails: tuple[str, ...] = ()
        """What its disk keeps of its hash chains."""
        self.disk = 0
        """Which disk that is."""
        self.began: dict[str, int] = {}
        """By session, from which disk."""
        self.ghosts: list[Sender] = []
        """What earlier processes had under way: a request in flight may outlive who sent it."""
        self.start()

    def start(self) -> None:
        """Start a new process, which knows nothing of the one before but what the disk kept."""
        self.alive = True
        self.session = AgentSession(introduction(self.number, self.version, self.account, self.place), tails=self.tails)
        self.wait = Wait(self._clock(), begin=True)
        self.sender = Sender(self.log, self.rng)
        self.heard = self.log.part(REGISTRATIONS, self.partition).end

    def kill(self) -> None:
        """Lose power: of what was not delivered only the oldest, which were in flight, may still arrive, late."""
        self.alive = False
        for queue in self.sender.queues.values():
            flying = list(queue)[: self.rng.randint(0, 3)]
            late = self.log.now() + self.rng.choice((0, 300, 1500))
            queue.clear()
            queue.extend(one._replace(not_before=late) for one in flying)
        if self.sender.last is not None and self.rng.random() < 0.5:
            self.sender.late.append(self.sender.last._replace(not_before=self.log.now() + self.rng.randrange(3000)))
        self.ghosts.append(self.sender)

    @property
    def silent(self) -> bool:
        """Whether nothing of it can arrive at the broker any more."""
        waiting = any(ghost.late or any(ghost.queues.values()) for ghost in self.ghosts)
        return not self.alive and not waiting

    def wipe(self) -> None:
        """Lose the disk: another process begins with an empty one."""
        if self.alive:
            self.kill()
        self.tails, self.disk = (), self.disk + 1
        self.start()

    def said(self) -> list[tuple[Rec, Event]]:
        """Return every record under this workload's key, whoever wrote it."""
        ours = (record for record in self.log.read(EVENTS, self.partition, 0) if record.key == self.key)
        found = ((record, decode_event(record.key, record.value)) for record in ours)
        return [(record, event) for record, event in found if not isinstance(event, Rejection)]

    def stop(self) -> None:
        """Say goodbye; the machine is off when that was delivered or given up."""
        if self.alive:
            self._give(Stop(self._clock()))

    def step(self) -> None:
        if self.log.up and not self.cut:
            for ghost in self.ghosts:
                ghost.flush(3)
        if not self.alive:
            return
        self.sender.twice, self.sender.delay_ms, self.sender.swap = self.twice, self.delay_ms, self.swap
        if self.log.up and not self.cut:
            self.sender.flush(self.rng.randint(1, 20))
        if self.log.answers and not self.cut:
            self._hear()
        if self.session.state is State.DRAINING and self.sender.delivered == self.sender.posted:
            self._give(Flushed())
        now = self._clock()
        if self.alive and now >= self.wait.until_ms:
            sent_at = datetime.fromtimestamp((now % _YEAR_MS) / 1000, UTC)
            shown, secret = self.shown, self.rng.randbytes(LINK_BYTES)
            if self.wait.begin:
                fresh = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
                self.began[fresh] = self.disk
                self._give(Begin(now, self.rng.random(), fresh, sent_at, shown, secret))
            else:
                introduces = self.session.introduces(now)
                self._give(Beat(now, self.rng.random(), sent_at, shown if introduces else None, secret))

    def _clock(self) -> int:
        return int(self.log.now() * self.drift) + self.skew_ms

    def _hear(self) -> None:
        for record in self.log.read(REGISTRATIONS, self.partition, self.heard):
            self.heard = record.offset + 1
            if record.key == self.key and record.value is not None and self.alive:
                answer = decode_answer(record.value)
                assert not isinstance(answer, Rejection)
                self._give(Answered(self._clock(), self.rng.random(), answer))

    def _give(self, given: Input) -> None:
        self.session, outputs = session.step(self.session, given, PACING)
        for output in outputs:
            match output:
                case Send(event):
                    self.sender.post(EVENTS, self.partition, self.key, event.to_json())
                case Remember(tails):
                    self.tails = tails
                case Wait():
                    self.wait = output
                case Exit():
                    self.kill()

    def set_clock(self, skew_ms: int, drift: float) -> None:
        """Set another clock; what was awaited is awaited as long as before."""
        left = self.wait.until_ms - self._clock()
        before = self._clock()
        self.skew_ms, self.drift = skew_ms, drift
        moved = self._clock() - before
        self.wait = self.wait._replace(until_ms=self._clock() + left)
        one = self.session
        self.session = replace(one, due_ms=one.due_ms + moved, introduce_ms=one.introduce_ms + moved)
