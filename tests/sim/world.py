"""The world: steps of virtual time, everybody's turn in each, and the faults that begin and end."""

import uuid
from collections.abc import Callable, Sequence
from random import Random

from schemas.policies import Enforcement
from schemas.topics import PRESENCE_CHANGELOG, REGISTRATIONS, WORKLOADS
from tests.sim.agents import Agent
from tests.sim.faults import STORM_MS, Fault
from tests.sim.intruders import Intruders
from tests.sim.log import Log
from tests.sim.processors import LAG_MS, REFRESH_WINDOWS, RULES, SESSION_TIMEOUT_MS, Group, Processor
from tests.sim.sinks import Kubernetes, Line, Sink
from tests.sim.users import NAMESPACE, Users

STEP_MS = 50
START_MS = 1_700_000_000_000
CALM_MS = STORM_MS + 6_000
"""From here on no fault is at work."""
STEADY_MS = CALM_MS + 18_000
"""By here everything must have settled: the whole grace, and time to spare."""
END_MS = STEADY_MS + 2_000


class World:
    """All parts, made of one seed; ``told`` is its trace."""

    def __init__(self, seed: int, faults: Sequence[Fault]) -> None:
        self.elapsed = 0
        self.dice = [Random(f"{name}/{seed}") for name in ("world", "api", "sink")]
        rng = self.dice[0]
        self.log = Log(lambda: START_MS + self.elapsed, rng.choice((1, 2)))
        self.cluster = Kubernetes(
            NAMESPACE,
            now=self.log.now,
            uid=lambda: str(uuid.UUID(int=self.dice[1].getrandbits(128), version=4)),
        )
        enforcement = Random(f"enforcement/{seed}").choice(list(Enforcement))
        self.users = Users(self.cluster, self.log, enforcement)
        self.users.make_group()
        self.users.allow()
        self.agents = [Agent(self.log, n, Random(f"agent/{n}/{seed}")) for n in range(rng.randint(1, 6))]
        self.intruders = Intruders(self.log, seed)
        self.group = Group(self.log)
        # Where hours pass, so that what is old is compacted, everything is told again and again; elsewhere it is not.
        self.hours = rng.random() < 0.3
        self.processors = [
            Processor(self.log, self.group, n, Random(f"processor/{n}/{seed}"), REFRESH_WINDOWS if self.hours else 9999)
            for n in range(rng.choice((1, 2)))
        ]
        self.seed = seed
        self.sinks = [Sink(self.log, Line(self.cluster, self.dice[1]), self.dice[2])]
        self.later: list[tuple[int, int, Callable[[], None]]] = []
        self.told: list[tuple[int, str]] = []
        for number, fault in enumerate(faults):
            self.later.append((fault.at_ms, number, lambda fault=fault: self.begin(fault)))  # type: ignore[misc]
        self.later.sort(key=lambda one: one[:2])

    def step(self) -> None:
        """Let one step of time pass."""
        self.elapsed += STEP_MS
        while self.later and self.later[0][0] <= self.elapsed:
            self.later.pop(0)[2]()
        for agent in self.agents:
            agent.step()
        self.intruders.step()
        self.group.step(self.processors)
        for processor in self.processors:
            processor.step()
        for sink in self.sinks:
            sink.step()

    def end(self) -> None:
        """Drop whatever is under way."""
        for processor in self.processors:
            processor.crash()
        for sink in self.sinks:
            sink.crash()

    def after(self, for_ms: int, then: Callable[[], None]) -> None:
        """Let something happen later."""
        self.later.append((self.elapsed + for_ms, len(self.told), then))
        self.later.sort(key=lambda one: one[:2])

    def begin(self, fault: Fault) -> None:
        """Let a fault begin; whatever it sets is set back when it ends."""
        self.told.append((self.elapsed, f"begins: {fault.kind} of {fault.who}"))
        part, _, what = fault.kind.partition(".")
        getattr(self, f"_{part}")(what, fault)

    def _set(self, one: object, name: str, value: object, fault: Fault, back: object) -> None:
        setattr(one, name, value)
        self.after(fault.for_ms, lambda: setattr(one, name, back))

    def _agent(self, what: str, fault: Fault) -> None:
        one = self.agents[fault.who % len(self.agents)]
        match what:
            case "kill" | "restart" | "upgrade":
                one.kill()
                one.version = "v2" if what == "upgrade" else one.version
                if what != "kill":
                    one.start()
                elif fault.for_ms < 6000:  # the longest: it never comes back
                    self.after(fault.for_ms, lambda: _revive(one))
            case "stop":
                one.stop()
                if fault.for_ms < 6000:
                    self.after(fault.for_ms, lambda: _revive(one))
            case "move":
                one.place += 1
                self._begin_anew(one)
            case "return":  # after its removal
                one.kill()
                self.after(9000 + fault.for_ms // 4, lambda: _revive(one))
            case "dusk":
                self.after(CALM_MS + 500 + fault.for_ms // 2 - self.elapsed, one.kill)
            case _:
                self._mislead(one, what, fault)

    def _mislead(self, one: Agent, what: str, fault: Fault) -> None:
        """Let an agent live on, with a worse network or clock."""
        match what:
            case "cut":
                self._set(one, "cut", value=True, fault=fault, back=False)
            case "all-cut":
                for agent in self.agents:  # for long enough that all are missed
                    self._set(agent, "cut", value=True, fault=fault._replace(for_ms=6000), back=False)
            case "duplicate":
                self._set(one, "twice", 0.5, fault, 0.0)
            case "delay":
                self._set(one, "delay_ms", 900, fault, 100)
            case "reorder":
                self._set(one, "swap", 0.5, fault, 0.0)
            case "skew":
                one.set_clock((fault.for_ms - 1000) * 3_600_000, 0.95 if fault.who % 2 else 1.05)
            case "wipe":
                one.wipe()
                self._release_in_the_end()

    def _twin(self, what: str, fault: Fault) -> None:
        """Let another machine show the same identity: beside the living one, or while that is cut off and missed."""
        one = self.agents[fault.who % len(self.agents)]
        self._release_in_the_end()
        if what == "start":
            self.after(fault.for_ms, self.intruders.clone(one).kill)
            return
        self._set(one, "cut", value=True, fault=fault._replace(for_ms=6000), back=False)
        self.after(4500, lambda: self.after(min(fault.for_ms, 1500), self.intruders.clone(one).kill))

    def _forge(self, what: str, fault: Fault) -> None:
        one = self.agents[fault.who % len(self.agents)]
        if what == "steal":
            self._release_in_the_end()
        for wait in range(STEP_MS, fault.for_ms, 300):
            self.after(wait, lambda: self.intruders.act(what, one))

    def _release_in_the_end(self) -> None:
        """Let people release the brakes: who has no tail of the session that is missed waits for them (ADR 0013)."""
        self.after(CALM_MS + 6000 - self.elapsed, self.users.release)

    def _policy(self, what: str, fault: Fault) -> None:
        self.users.forbid(entirely=what == "delete")
        if fault.for_ms < 6000:  # the longest: nobody allows anything again
            self.after(fault.for_ms, self.users.allow)

    def _processor(self, what: str, fault: Fault) -> None:
        one = self.processors[fault.who % len(self.processors)]
        match what:
            case "crash":
                one.doomed = self.dice[0].randint(0, 8)
                self.after(2000, one.give_up_work)
                self.after(2000 + min(fault.for_ms, 3000), lambda: _revive(one))
            case "zombie":
                self._set(one, "deaf", value=True, fault=fault, back=False)
            case "pause":
                one.doze_ms = fault.for_ms
            case "relic":
                one.doze_ms = max(fault.for_ms, 3 * SESSION_TIMEOUT_MS)
                self._begin_anew(self.agents[fault.who % len(self.agents)])
                self.after(2 * SESSION_TIMEOUT_MS, lambda: self._begin_anew(*self.agents))
                self._relic(one, 160, survived=fault.who >= 3)
            case "torn":  # with something to tell, and nothing told after it that would hide the loss
                self._set(one, "torn", value=True, fault=fault._replace(for_ms=3000), back=False)
                self.after(2 * STEP_MS, lambda: self._begin_anew(self.agents[fault.who % len(self.agents)]))
                self.after(3000 + min(fault.for_ms, 3000), lambda: _revive(one))
            case "twin":  # a zombie goes on, and its successor falls behind: each counts windows for itself
                self._set(one, "deaf", value=True, fault=fault._replace(for_ms=6000), back=False)
                self.after(2500, lambda: self._fall_behind(one, fault._replace(for_ms=3000)))
            case _:
                self._set(one, what, value=True, fault=fault, back=False)

    def _fall_behind(self, zombie: Processor, fault: Fault) -> None:
        """Let the others read nothing for a while; they go on ticking."""
        for one in self.processors:
            if one is not zombie:
                self._set(one, "behind", value=True, fault=fault, back=False)

    def _relic(self, one: Processor, patience: int, *, survived: bool) -> None:
        """Wait until a zombie woke and told what it had, and for as long as compaction waits; then all owners die.

        Where hours do not pass, they may also live on.
        """
        if one.alive and patience and (one.doze_ms or one.paused or one.telling):
            self.after(STEP_MS, lambda: self._relic(one, patience - 1, survived=survived))
            return
        if survived and not self.hours:
            return
        self.after(LAG_MS + RULES.window_ms if self.hours else 0, self._read_again)

    def _begin_anew(self, *agents: Agent) -> None:
        """Restart agents, so that there is something to tell of them."""
        for agent in agents:
            if agent.alive:
                agent.kill()
                agent.start()

    def _read_again(self) -> None:
        """Compact what is an hour old, and let everybody begin anew from what is left."""
        self._compact(WORKLOADS, PRESENCE_CHANGELOG)
        everybody: tuple[Processor | Sink, ...] = (*self.processors, self.sinks[0])
        for each in everybody:
            each.crash()
            self.after(600, lambda each=each: _revive(each))  # type: ignore[misc]

    def _group(self, _what: str, _fault: Fault) -> None:
        self.group.rebalance(self.group.members[::-1])

    def _broker(self, what: str, fault: Fault) -> None:
        if what == "outage":
            self._set(self.log, "up", value=False, fault=fault, back=True)
        elif what == "mute":
            self._set(self.log, "mute", value=True, fault=fault, back=False)
        else:
            self._compact(WORKLOADS)
            self.log.compact(REGISTRATIONS)

    def _changelog(self, _what: str, _fault: Fault) -> None:
        self._compact(PRESENCE_CHANGELOG)

    def _compact(self, *topics: str) -> None:
        for topic in topics if self.hours else ():
            self.log.compact(topic, LAG_MS)

    def _sink(self, what: str, fault: Fault) -> None:
        one = self.sinks[fault.who % len(self.sinks)]
        match what:
            case "crash":
                one.crash()
                self.after(min(fault.for_ms, 3000), lambda: _revive(one))
            case "twin":
                self._twin_sink(fault)
            case _:
                self._set(one, "paused" if what == "pause" else what, value=True, fault=fault, back=False)

    def _twin_sink(self, fault: Fault) -> None:
        """Let a second sink run until the calm: frozen and thawed at random, or with the first asleep in a deletion."""
        rng = Random(f"twin/{self.seed}/{fault.at_ms}")
        twin = Sink(self.log, Line(self.cluster, rng), rng)
        self.sinks.append(twin)
        self.after(CALM_MS - self.elapsed, twin.crash)
        if fault.who % 2:
            self.sinks[0].doze_ms = 6000
            self.after(CALM_MS - self.elapsed, self.sinks[0].wake)
            self._agent("return", fault)
            return
        for start in range(500, CALM_MS - self.elapsed - 4000, 3000):
            frozen = fault._replace(for_ms=rng.choice((500, 2000, 4000)))
            self.after(
                start + rng.randrange(1500),
                lambda frozen=frozen: self._set(twin, "paused", value=True, fault=frozen, back=False),  # type: ignore[misc]
            )

    def _api(self, what: str, fault: Fault) -> None:
        for line in [sink.line for sink in self.sinks]:
            match what:
                case "outage":
                    self._set(line, "down", value=True, fault=fault, back=False)
                case "flaky":
                    self._set(line, "flaky", 0.3, fault, 0.0)
                case "busy":
                    self._set(line, "busy", 0.5, fault, 0.0)
        if what == "compact":
            self.cluster.compact()

    def _watch(self, _what: str, fault: Fault) -> None:
        for sink in self.sinks:
            self._set(sink, "lagging", value=True, fault=fault, back=False)

    def _user(self, what: str, fault: Fault) -> None:
        one = self.agents[fault.who % len(self.agents)]
        match what:
            case "delete":
                self.users.delete(one)
            case "edit":
                self.users.edit(str(fault.at_ms))
            case "touch":
                self.users.touch(one, str(fault.at_ms), alone=fault.who % 2 == 1)
            case "race":  # an edit that the sink does not see yet, while it writes
                self._watch("lag", fault._replace(for_ms=3000))
                self._agent("move", fault)
                for wait in range(100, 2000, 400):
                    self.after(wait, lambda wait=wait: self.users.touch(one, str(fault.at_ms + wait), alone=False))  # type: ignore[misc]
            case "hold":
                self.users.hold(one, held=True)
                self.after(fault.for_ms, lambda: self.users.hold(one, held=False))
            case "regroup":
                if self.users.remove_group():
                    self.after(fault.for_ms, self.users.make_group)
            case "release":
                self.users.release()


def _revive(one: Agent | Processor | Sink) -> None:
    """Start a process, unless it runs."""
    if not one.alive:
        one.start()
