"""What must hold once everything has settled: Kubernetes is the fold of the log, as the oracle folds it."""

from collections.abc import Iterator
from typing import Any

from schemas.topics import EVENTS
from schemas.workloads import Presence, Workload
from services.agent.core.moves import State
from services.sink.core.objects import Manifest
from services.sink.ports import Kind
from tests.sim.agents import Agent
from tests.sim.breach import name_of
from tests.sim.endpoints import gets_traffic
from tests.sim.processors import RULES
from tests.sim.told import LIVING, Told
from tests.sim.trust import prove, vouch
from tests.sim.users import NAMESPACE
from tests.sim.world import World
from tests.support.oracle import OracleRules, Verdicts, oracle
from tests.support.oracle import State as Outcome

ORACLE = OracleRules(
    window_ms=RULES.window_ms,
    missed_windows=RULES.missed_windows,
    grace_windows=RULES.grace_windows,
    forget_windows=RULES.forget_windows,
    brake_share=RULES.brake_share,
    brake_release_share=RULES.brake_release_share,
    brake_least=RULES.brake_least,
)


def settled(world: World, told: Told) -> Iterator[str]:
    """Yield what is wrong once everything had time to settle."""
    records = {p: world.log.part(EVENTS, p).records for p in range(world.log.count)}
    said = oracle(records, ORACLE, world.log.count, prove, vouch)
    yield from _as_the_oracle(told, said)
    for agent in world.agents:
        yield from _about(world, agent, said)
    for stranger in world.intruders.strangers:
        yield from _refused(world, stranger, None)


def _about(world: World, agent: Agent, said: Verdicts) -> Iterator[str]:
    """Yield what is wrong with one machine: with the verdict on it, and with its objects."""
    state = said.final.get(agent.key)
    presence = state.presence if state else None
    place = (NAMESPACE, agent.session.introduction.key.war_name)
    war = world.cluster.objects.get((Kind.WAR, *place))
    entry = world.cluster.objects.get((Kind.ENTRY, *place))
    name = name_of(agent.key)
    if agent.alive and presence is Presence.ABSENT and agent.key in said.held:
        # Who held removals before there was a bundle may have said goodbye for others then: nobody tells them so.
        return
    yield from _lives(name, agent, state)
    if presence is Presence.ABSENT and not _braked(said) and agent.key not in said.held:
        yield f"endpoint: {name} is dead for more than the whole grace, and not removed"
    doubted = doubts(world, agent.key)
    if presence in {None, Presence.REMOVED} and (war or entry) and not doubted:
        yield f"endpoint: {name} is {presence} and has a WAR or an entry"
    if (war is None) != (entry is None):
        yield f"endpoint: {name} has {'an entry and no WAR' if entry else 'a WAR and no entry'}"
    if entry is not None and presence is not None and gets_traffic(entry) != (doubted or presence in LIVING):
        yield f"endpoint: {name} is {presence}, and its entry gets {'' if gets_traffic(entry) else 'no '}traffic"
    if war is not None and state is not None:
        yield from _told(name, state, war)
        yield from _reported(name, state, war, entry)
    if agent.alive:
        yield from _onboarded(world, agent, war) if world.users.allowing else _refused(world, agent, war)


def doubts(world: World, key: bytes) -> bool:
    """Whether a sink holds the silence of a workload against its observer (ADR 0016)."""
    return any(sink.state.fleet.doubts(key) for sink in world.sinks)


def _lives(name: str, agent: Agent, state: Outcome | None) -> Iterator[str]:
    """Yield where the verdict is not what the machine is, or says."""
    presence = state.presence if state else None
    if agent.alive and presence is not Presence.CONNECTED:
        yield f"liveness: {name} is alive and is {presence}"
    if agent.alive and state is not None and state.workload.registration != agent.session.introduction.registration:
        yield f"reported: {name} is not taken by its word: {state.workload.registration}"
    if not agent.alive and presence is Presence.CONNECTED:
        yield f"liveness: {name} is dead and is still connected"


def _told(name: str, state: Outcome, war: Manifest) -> Iterator[str]:
    """Yield where a WAR does not say what was decided last."""
    condition = next(c for c in war["status"]["conditions"] if c["type"] == "AgentConnected")
    wanted = {Presence.CONNECTED: "True", Presence.UNKNOWN: "Unknown"}.get(state.presence, "False")
    if (condition["status"], war["status"]["revision"]) != (wanted, state.revision):
        yield f"cluster: {name} is {state.presence} at {state.revision}, its WAR says {war['status']}"


def _reported(name: str, state: Outcome, war: Manifest, entry: Manifest | None) -> Iterator[str]:
    """Yield where Kubernetes has not what the agent reported last, as the log has it."""
    registration = state.workload.registration
    if war["spec"]["registration"] != registration.model_dump(mode="json", exclude_none=True):
        yield f"reported: the WAR of {name} has {war['spec']['registration']}, the agent said {registration}"
    wanted = (registration.host.addresses[0].ip, dict(registration.workload.labels))
    if entry is not None and (entry["spec"]["address"], entry["spec"].get("labels", {})) != wanted:
        yield f"reported: the entry of {name} has {entry['spec']}, the agent said {wanted}"


def _braked(said: Verdicts) -> bool:
    """Whether a partition is braked: no grace passes there."""
    return bool(said.braked)


def _onboarded(world: World, agent: Any, war: Any) -> Iterator[str]:  # noqa: ANN401
    name = name_of(agent.key)
    registration = agent.session.registration
    if war is None or agent.session.state is not State.REGISTERED or registration is None:
        yield f"onboarding: {name} is alive, {agent.session.state.name}, its WAR is {'there' if war else 'not there'}"
    elif registration.uid != war["metadata"]["uid"]:
        yield f"onboarding: {name} was told of another WAR than it has"
    elif agent.key in world.users.deleted:
        uid, generation, session = world.users.deleted[agent.key]
        # Of two sinks the one that did not answer makes it again for the same session, of a group it knew (ADR 0003).
        alone = len(world.sinks) == 1
        if war["metadata"]["uid"] == uid or (alone and war["spec"]["workloadGroup"]["generation"] < generation):
            yield f"onboarding: {name} did not join anew after its WAR was deleted"
        if alone and session == war["status"]["session"]:
            yield f"onboarding: {name} has a WAR of the very session whose WAR was deleted"


def _refused(world: World, agent: Agent, war: Manifest | None) -> Iterator[str]:
    """Yield what is wrong with one whom no policy allows now: who had joined may have stayed, where policies say so."""
    if war is not None and world.users.expelling:
        yield f"not admitted: {name_of(agent.key)} stays in Kubernetes, and no policy allows it"
    if war is None and agent.session.state is not State.REFUSED:
        yield f"onboarding: {name_of(agent.key)} is not allowed, and is {agent.session.state.name}"


def _as_the_oracle(told: Told, said: Verdicts) -> Iterator[str]:
    """Every state told is one that the oracle knows, and the newest of each workload is the oracle's last."""
    known = {(t.partition, t.offset, t.key): t.state for t in said.transitions}
    newest: dict[bytes, Workload] = {}
    for key, state in told.states:
        meant = known.get((state.partition, state.revision, key))
        if meant is None or (meant.presence, meant.session, meant.reason, meant.since_ms, meant.window) != (
            state.presence,
            state.session,
            state.reason,
            int(state.since.timestamp() * 1000 + 0.5),
            state.window,
        ):
            yield f"fold: {name_of(key)} was told {state.presence} at {state.revision}, the oracle says {meant}"
        if key not in newest or state.revision >= newest[key].revision:
            newest[key] = state
    for key, meant in said.final.items():
        if key not in newest or newest[key].revision != meant.revision:
            yield f"fold: {name_of(key)} ends {meant.presence} at {meant.revision} with the oracle, that was not told"
