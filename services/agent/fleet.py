"""``muster fleet N``: many agents in one process, each with the session table of the real one, on made-up machines.

The machines follow from the seed alone: the same seed and size give the same identities, in every run. A mint signs
them whenever they show their credential: nothing of it is held, so many fit into one process.
"""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import structlog

from schemas.credentials import Credential
from schemas.events import Address, AddressType, Introduction
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from services.agent.attendance import attend
from services.agent.core.exchange import Output, Remember
from services.agent.core.moves import State
from services.agent.identity.source import Machine
from services.agent.introduction import introduce
from services.agent.publisher import Publisher
from services.agent.roster import Member, Roster
from services.agent.settings import FleetSettings, ReportSettings
from services.agent.state import StateFile
from services.identity.issuing import Mint
from services.runtime.config import ConfigError
from services.runtime.health import Health

ACCOUNT = "123456789012"
REGION = "us-east-2"
ZONES = "abc"


class Fleet:
    """The agents by number, for tests, benchmarks and the demo; ``run`` keeps them until told to stop."""

    def __init__(self, settings: FleetSettings, health: Health) -> None:
        self._settings = settings
        self._health = health
        self._publisher = Publisher(settings.kafka, health)
        self._mint = _mint(settings.issuer)
        self._tails: dict[bytes, tuple[str, ...]] = {}
        pacing = settings.pacing.pacing()
        self.roster = Roster(pacing, self._publisher.post, self._perform, lambda: self._publisher.stuck)
        self.introductions = tuple(introductions(settings))

    async def run(self, stopping: asyncio.Event) -> None:
        """Start the agents at the configured rate, and keep them."""
        for number in range(len(self.introductions)):
            self.join(number, number / self._settings.start_per_second)
        drain_s = self._settings.pacing.drain_seconds
        await attend(self.roster, self._publisher, self._health, stopping, drain_s, beside=self._tell)

    def join(self, number: int, after_s: float = 0.0) -> None:
        """Start an agent, perhaps anew: then it is the heir of the one before, as on a machine with its disk."""
        introduction = self.introductions[number]
        key = introduction.key.to_bytes()
        file = self._file(key)
        tails = file.tails() if file is not None else self._tails.get(key, ())
        self.roster.join(introduction, Minted(introduction, self._mint), tails, after_s=after_s)

    def silence(self, number: int) -> None:
        """Let an agent vanish, as a machine without power does."""
        self.roster.silence(self.introductions[number].key.to_bytes())

    def leave(self, number: int) -> None:
        """Let an agent say goodbye."""
        self.roster.stop([self.introductions[number].key.to_bytes()])

    def _perform(self, member: Member, output: Output) -> None:
        """Keep the tails; a fleet has no sidecars, and says how it stands in sums."""
        if not isinstance(output, Remember):
            return
        self._tails[member.key] = output.tails
        if (file := self._file(member.key)) is not None:
            file.keep(output.tails)

    def _file(self, key: bytes) -> StateFile | None:
        return StateFile(self._settings.state_dir, key) if self._settings.state_dir is not None else None

    async def _tell(self) -> None:
        """Log how many sessions are in each state, when that changed; a fleet is ready when all are registered."""
        told: dict[str, int] = {}
        while True:
            states = self.roster.states()
            standing = {state.name.lower(): states[state] for state in State if states[state]}
            waiting = sum(standing.values()) - states[State.REGISTERED]
            why = f"{waiting} agents are not registered" if waiting else ""
            self._health.set("registered", ok=not waiting, why=why)
            if standing != told:
                structlog.get_logger().info("fleet", **standing)
                told = standing
            await asyncio.sleep(self._settings.progress_seconds)


async def run(settings: FleetSettings, stopping: asyncio.Event) -> None:
    """Run a fleet until ``stopping`` is set, saying now and then how it stands."""
    async with Health("fleet", settings.http) as health:
        try:
            fleet = Fleet(settings, health)
        except ConfigError as fault:
            structlog.get_logger().error("this fleet cannot be run as it is configured", reason=str(fault))
            raise SystemExit(2) from None
        structlog.get_logger().info("starting a fleet", agents=settings.size, groups=list(settings.groups))
        await fleet.run(stopping)


def introductions(settings: FleetSettings) -> Iterator[Introduction]:
    """Yield the made-up EC2 machines, spread evenly over the groups and zones."""
    report = ReportSettings(labels=settings.labels, istio_version=settings.istio_version)
    for number in range(settings.size):
        namespace, group = settings.groups[number % len(settings.groups)].split("/")
        try:
            yield introduce(namespace, group, machine(settings.seed, number), report)
        except ConfigError as fault:
            raise ConfigError(f"groups: {fault}") from None


def machine(seed: int, number: int) -> Machine:
    """Return the made-up machine of this number."""
    digest = hashlib.sha256(f"{seed}/{number}".encode()).hexdigest()
    identity = Identity(
        aws=AwsIdentity(
            partition="aws",
            account=ACCOUNT,
            region=REGION,
            zone=REGION + ZONES[number % len(ZONES)],
            ec2=Ec2Instance(instance_id=f"i-{digest[:17]}"),
        )
    )
    host = f"172.{16 + (number >> 16) % 16}.{(number >> 8) % 256}.{number % 256}"
    return Machine(identity, addresses=(Address(ip=host, type=AddressType.VPC),))


class Minted:
    """What a made-up machine shows: a document of its own, signed like EC2's, or nothing where there is no mint."""

    def __init__(self, introduction: Introduction, mint: Mint | None) -> None:
        self._introduction = introduction
        self._mint = mint

    async def credential(self, session: str) -> Credential | None:  # noqa: ARG002 - a document is of no session
        """Return it, signed anew."""
        aws = self._introduction.identity.aws
        if self._mint is None or aws is None or aws.ec2 is None:
            return None
        return Credential(ec2=self._mint.ec2(aws.ec2.instance_id, aws.zone, aws.account))


def _mint(folder: Path | None) -> Mint | None:
    if folder is None:
        return None
    if not folder.is_dir():
        raise ConfigError(f"issuer: there is no folder {folder}: it is where a mint keeps its keys")
    return Mint(folder)
