"""What was told of workloads, record by record as it is appended, and who brought it about."""

from schemas.codec import Rejection, decode_event, decode_workload
from schemas.events import Trusted
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS, WORKLOADS
from schemas.workloads import Presence, Reason, Workload
from tests.sim import verdicts
from tests.sim.breach import Broken, name_of
from tests.sim.processors import RULES
from tests.sim.windows import Windows
from tests.sim.world import World

LIVING = {Presence.CONNECTED, Presence.UNKNOWN}
REMOVED = Presence.REMOVED


class Told:
    """Every state that was told, and the windows in which that was."""

    def __init__(self) -> None:
        self.states: list[tuple[bytes, Workload]] = []
        """Every state once, as it was told first."""
        self.newest: dict[bytes, Workload] = {}
        self.sessions: dict[tuple[bytes, str], Workload] = {}
        """The newest of each session."""
        self.keys: dict[str, bytes] = {}
        """By the name that a workload has in Kubernetes."""
        self.windows: dict[int, Windows] = {}
        self.trusting: set[int] = set()
        """Partitions whose log names a bundle, which demands signatures."""
        self._read: dict[tuple[str, int], int] = {}
        self._first: dict[tuple[bytes, int], Workload] = {}

    def check(self, world: World) -> None:
        """Check what was told since the last time."""
        for partition in range(world.log.count):
            self._follow_windows(world, partition)
            for record in world.log.read(WORKLOADS, partition, self._read.get((WORKLOADS, partition), 0)):
                self._read[WORKLOADS, partition] = record.offset + 1
                state = decode_workload(record.value or b"")
                if isinstance(state, Rejection) or record.key is None:
                    raise Broken(f"fold: muster.workloads has what it must not have: {record}")
                self._take(world, record.key, state)

    def _follow_windows(self, world: World, partition: int) -> None:
        windows = self.windows.setdefault(partition, Windows())
        for record in world.log.read(EVENTS, partition, self._read.get((EVENTS, partition), 0)):
            self._read[EVENTS, partition] = record.offset + 1
            if record.key == CONTROL_KEY:
                event = decode_event(record.key, record.value)
                forged = (partition, record.offset) in world.intruders.forged
                if isinstance(event, Trusted) and not forged:
                    self.trusting.add(partition)
                # Until its log names a bundle whoever writes is believed (ADR 0014).
                if not isinstance(event, Rejection) and not (forged and partition in self.trusting):
                    windows.take(record, event)

    def _take(self, world: World, key: bytes, state: Workload) -> None:
        if (first := self._first.setdefault((key, state.revision), state)) is not state:
            if first != state:
                raise Broken(f"told twice: {name_of(key)} at {state.revision} was {first}, is {state}", key)
            return
        self.states.append((key, state))
        self.keys[state.workload.key.war_name] = key
        session = self.sessions.get((key, state.session))
        if session is None or session.revision < state.revision:
            self.sessions[key, state.session] = state
        before = self.newest.get(key)
        if before is None or before.revision < state.revision:
            self.newest[key] = state
            self._brought_about(world, key, before, state)
        if state.presence is not Presence.CONNECTED and state.reason is not Reason.DISCONNECTED:
            verdicts.check(world, self.windows[state.partition], key, state, lambda: self._living_before(state))

    def silent_windows(self, world: World, key: bytes, partition: int) -> int:
        """Return how many windows that count a workload has missed by now, whatever it said last."""
        records = world.log.part(EVENTS, partition).records
        last = next((record.offset for record in reversed(records) if record.key == key), -1)
        return self.windows[partition].missed(last, world.log.part(EVENTS, partition).end)

    def _living_before(self, verdict: Workload) -> dict[bytes, Workload]:
        """Return who was connected or unknown in a partition just before a verdict, in which state."""
        newest: dict[bytes, Workload] = {}
        for key, state in self.states:
            if state.partition == verdict.partition and state.revision < verdict.revision:
                known = newest.get(key)
                if known is None or known.revision < state.revision:
                    newest[key] = state
        return {key: state for key, state in newest.items() if state.presence in LIVING}

    def _was_gone(self, world: World, key: bytes, before: Workload, state: Workload) -> bool:
        """Whether a session was due to be absent when another came: what a dead owner decided last is never told."""
        last = verdicts.heard(world, key, before.model_copy(update={"revision": state.revision}))
        windows = self.windows[state.partition]
        return last is not None and windows.missed(last, state.revision) >= RULES.missed_windows

    def _brought_about(self, world: World, key: bytes, before: Workload | None, state: Workload) -> None:
        """Check who brought a state about: a forger never, another machine only if nobody lived there."""
        if state.verified is not None and any(key == liar.key for liar in world.intruders.liars):
            raise Broken(f"forged: {name_of(key)} is {state.presence}, verified, and proved nothing", key)
        # A session that began before the log named a trust bundle has no chain, and nothing in Kubernetes.
        proven = state.verified is not None or (before is not None and before.verified is not None)
        if proven and (state.partition, state.revision) in world.intruders.forged:
            raise Broken(f"forged: {name_of(key)} became {state.presence} by a forged record at {state.revision}", key)
        if before is None or before.verified is None or before.session == state.session:
            return
        others = _owner(world, before.session) != _owner(world, state.session)
        if before.presence in LIVING and others and not self._was_gone(world, key, before, state):
            words = f"takeover: {name_of(key)} lived, and another machine took its place at {state.revision}"
            raise Broken(words, key)


def _owner(world: World, session: str) -> tuple[int, int] | None:
    """Return which machine with which disk began a session; None for a thief."""
    machines = [*world.agents, *world.intruders.machines]
    return next(((number, m.began[session]) for number, m in enumerate(machines) if session in m.began), None)
