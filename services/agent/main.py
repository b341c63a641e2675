"""``muster agent``: one machine's agent, from who it is to its goodbye."""

import asyncio

import structlog

from services.agent.attendance import attend, unless_stopped
from services.agent.core.exchange import DrainSidecar, Exit, Notice, Output, Remember, StartSidecar, Topic
from services.agent.identity.azure import AzureSource
from services.agent.identity.ecs import EcsSource
from services.agent.identity.file import FileSource
from services.agent.identity.gcp import GcpSource
from services.agent.identity.imds import Ec2Source
from services.agent.identity.source import IdentityError, IdentitySource, Wallet
from services.agent.identity.tokens import TokenFile
from services.agent.introduction import introduce
from services.agent.publisher import Publisher
from services.agent.roster import Member, Roster
from services.agent.settings import AgentSettings, IdentitySettings
from services.agent.sidecar import Sidecar
from services.agent.state import StateFile
from services.runtime.config import ConfigError
from services.runtime.health import Health

UNUSABLE = 2
"""Exit code where the configuration, or what it names, cannot be used."""


async def run(settings: AgentSettings, stopping: asyncio.Event) -> None:
    """Run the agent until ``stopping`` is set; its goodbye is then delivered or given up within a bounded time."""
    try:
        async with Health("agent", settings.http) as health:
            await _run(settings, health, stopping)
    except (IdentityError, ConfigError) as fault:
        structlog.get_logger().error("this agent cannot be run as it is configured", reason=str(fault))
        raise SystemExit(UNUSABLE) from None


async def _run(settings: AgentSettings, health: Health, stopping: asyncio.Event) -> None:
    health.set("identity", ok=False, why="waiting for the source of identity")
    source = identity_source(settings.identity)
    machine = await unless_stopped(stopping, source.obtain())
    if machine is None:
        return
    introduction = introduce(settings.namespace, settings.workload_group, machine, settings.report)
    health.set("identity", ok=True)
    health.set("registered", ok=False, why="no answer yet")
    log = structlog.get_logger().bind(workload=introduction.key.war_name, namespace=introduction.namespace)
    log.info("this machine has an identity", identity=introduction.identity.name)
    if machine.credential is None:
        log.warning("nothing proves this identity: no Muster that verifies identities will admit it")

    sidecar = Sidecar(settings.sidecar, introduction.registration, health)
    publisher = Publisher(settings.kafka, health)
    state = StateFile(settings.state_dir, introduction.key.to_bytes())

    def perform(_member: Member, output: Output) -> None:
        if isinstance(output, Remember):
            state.keep(output.tails)
        else:
            _perform(output, sidecar, health, log)

    roster = Roster(settings.pacing.pacing(), publisher.post, perform, lambda: publisher.stuck)
    roster.join(introduction, Wallet(source, machine), state.tails())
    try:
        await attend(roster, publisher, health, stopping, settings.pacing.drain_seconds, beside=sidecar.run)
    finally:
        await sidecar.close()


def identity_source(settings: IdentitySettings) -> IdentitySource:
    """Return the source the settings name."""
    if settings.file is not None:
        return FileSource(settings.file)
    if settings.ec2 is not None:
        return Ec2Source(settings.ec2, audience=settings.audience)
    if settings.jwt is not None:
        return TokenFile(settings.jwt)
    if settings.ecs is not None:
        return EcsSource(settings.ecs)
    if settings.gcp is not None:
        return GcpSource(settings.gcp, settings.audience)
    if settings.azure is not None:
        return AzureSource(settings.azure, settings.audience)
    raise ConfigError("identity: give exactly one of its sources")


def _perform(output: Output, sidecar: Sidecar, health: Health, log: structlog.typing.FilteringBoundLogger) -> None:
    match output:
        case StartSidecar(registered):
            health.set("registered", ok=True)
            sidecar.want(registered)
        case DrainSidecar():
            sidecar.want(None)
        case Notice(topic, words):
            if topic in (Topic.REFUSED, Topic.ENDED):
                health.set("registered", ok=False, why=words)
            say = log.info if topic is Topic.REGISTERED else log.warning
            say(topic.value, words=words)
        case Exit(clean):
            log.info("the session is closed", goodbye="delivered" if clean else "given up")
