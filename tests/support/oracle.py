"""A second opinion: an offline fold of ``muster.events``, slow and obvious, written from DESIGN.md alone.

It shares nothing with the processor but ``schemas``: no rows, no snapshots, no positions, no bound on what it
remembers. It keeps whole sets and whole histories and looks everything up anew at every tick.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple, Protocol

from aiokafka.partitioner import murmur2

from schemas.codec import Rejection, decode_event
from schemas.credentials import Credential
from schemas.events import (
    Connect,
    ControlEvent,
    Disconnect,
    Event,
    Heartbeat,
    Introduction,
    Override,
    OverrideAction,
    Resumed,
    RoleChecked,
    Tick,
    Trusted,
)
from schemas.identity import Identity
from schemas.workloads import Presence, Reason


class Entry(Protocol):
    """One record of a partition of ``muster.events``; ``timestamp`` in milliseconds, by the broker."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class OracleRules(NamedTuple):
    """What is configured; times in milliseconds, everything else in windows or shares."""

    window_ms: int = 10_000
    missed_windows: int = 3
    grace_windows: int = 30
    forget_windows: int = 8640
    brake_share: float = 0.55
    brake_release_share: float = 0.25
    brake_least: int = 10


class State(NamedTuple):
    """What is known of one workload after the record at ``revision``."""

    presence: Presence
    session: str
    reason: Reason
    since_ms: int
    window: int
    revision: int
    workload: Introduction
    verified: bool = False


Prove = Callable[[Credential, Identity, int], Identity | None]
"""What a credential proves at a broker time (milliseconds), given what it claims; None where it proves nothing."""


Vouch = Callable[[ControlEvent, int], bool]
"""Whether a record of a partition is signed by whoever may say what it says."""
COPIES_KNOWN = 8
"""For so many windows a signed record may be on its way."""


def _nobody(_credential: Credential, _claimed: Identity, _at: int) -> Identity | None:
    raise AssertionError("this log verifies identities: tell the oracle how")


class Transition(NamedTuple):
    """A state a workload came into; ``state`` is None where it was forgotten."""

    partition: int
    offset: int
    key: bytes
    state: State | None


class _Chain(NamedTuple):
    """What the living session committed to, and in which window."""

    seq: int
    anchor: str
    length: int
    window: int

    def has(self, link: str | None, seq: int) -> bool:
        return link is not None and 0 < seq - self.seq < self.length and _hashed(link, seq - self.seq) == self.anchor

    def ended_by(self, tails: Iterable[str]) -> bool:
        return any(_hashed(tail, self.length) == self.anchor for tail in tails)


def _with_role(who: Identity, role: str | None) -> Identity:
    aws = who.aws
    if aws is None or aws.ec2 is None:
        return who
    return Identity(aws=aws.model_copy(update={"ec2": aws.ec2.model_copy(update={"iam_role": role})}))


def _hashed(link: str, times: int) -> str:
    for _ in range(times):
        link = sha256(bytes.fromhex(link)).hexdigest()
    return link


@dataclass
class _Workload:
    """One workload's whole history."""

    key: bytes
    state: State | None = None
    highest: dict[str, int] = field(default_factory=dict)
    """The highest accepted seq of every session ever seen."""
    over: set[str] = field(default_factory=set)
    """Sessions which said goodbye, were removed, or were superseded."""
    missed: int = 0
    left_at_roll: int = 0
    removed_at_roll: int = 0
    given_up: bool = False
    """An operator released a brake while it was absent: its silence is its own."""
    chain: "_Chain | None" = None
    began: int = -1
    """Where the session began."""
    answered: int = -1
    """Which claim of a role STS answered last."""

    def expected(self) -> bool:
        return self.state is not None and self.state.presence in {Presence.CONNECTED, Presence.UNKNOWN}

    def vanished(self) -> bool:
        """Whether it was called absent for its silence, and nobody knows whose fault that was."""
        return self._silenced() and not self.given_up

    def _silenced(self) -> bool:
        state = self.state
        return state is not None and (state.presence, state.reason) == (Presence.ABSENT, Reason.MISSED_WINDOWS)

    def give_up(self) -> None:
        self.given_up = self.given_up or self._silenced()

    def doubted(self) -> bool:
        return self.state is not None and self.state.presence is Presence.UNKNOWN and self.missed > 0


class _Partition:
    def __init__(self, number: int, partitions: int, rules: OracleRules, prove: Prove, vouch: Vouch | None) -> None:
        self.prove, self.trusting = prove, False
        self.vouch = vouch
        self.said: set[bytes] = set()
        """All that was signed and counted."""
        self.ticked: list[int] = []
        """Where windows were closed under signatures."""
        self.number, self.partitions, self.rules = number, partitions, rules
        self.workloads: dict[bytes, _Workload] = {}
        self.transitions: list[Transition] = []
        self.rejected: list[int] = []
        self.window = 0
        self.last_tick_ms: int | None = None
        self.void = False
        self.present: set[bytes] = set()
        self.rolls = 0
        self.braked = False
        self.fell = 0
        """How many were silent when the brake began to hold."""
        self.release_ordered = False
        self.orders: list[Override] = []
        """Every order about removals ever given."""

    def fold(self, entry: Entry) -> None:
        event = decode_event(entry.key, entry.value)
        introduction = event.workload if isinstance(event, Connect | Heartbeat) else None
        if isinstance(event, Rejection) or (introduction is not None and self._misplaced(introduction)):
            self.rejected.append(entry.offset)
            return
        if self.vouch is not None and isinstance(event, ControlEvent) and not self._spoken(event, entry, self.vouch):
            return
        self._apply(event, entry)

    def _spoken(self, event: ControlEvent, entry: Entry, vouch: Vouch) -> bool:
        """Whether a record is the word of who may say it, said once, and not long ago."""
        if not self.trusting and not isinstance(event, Trusted):
            return not isinstance(event, RoleChecked)
        lasting = isinstance(event, Resumed | Trusted | Override)
        after = event.after if isinstance(event, Resumed | Trusted | Override) else 0
        if not vouch(event, self.number) or after is None or after > entry.offset:
            self.rejected.append(entry.offset)
            return False
        statement = event.statement(self.number)
        unseen = len(self.ticked) - sum(tick < after for tick in self.ticked)
        if lasting and (statement in self.said or unseen >= COPIES_KNOWN):
            return False
        self.said.add(statement)
        return True

    def _apply(self, event: Event, entry: Entry) -> None:
        match event:
            case Connect() | Heartbeat():
                self._alive(event, entry)
            case Disconnect():
                self._goodbye(event, entry)
            case Tick():
                self._tick(event, entry)
            case Resumed():
                self.void = True
            case Trusted():
                self.trusting = True
            case RoleChecked():
                self._role(event, entry)
            case Override(action=OverrideAction.RELEASE_BRAKE):
                self.release_ordered = self.braked
            case Override():
                self.orders.append(event)

    def _misplaced(self, introduction: Introduction) -> bool:
        return bool((murmur2(introduction.key.to_bytes()) & 0x7FFFFFFF) % self.partitions != self.number)

    def _alive(self, event: Connect | Heartbeat, entry: Entry) -> None:
        assert entry.key is not None
        workload = self.workloads.setdefault(entry.key, _Workload(entry.key))
        old = workload.state
        if event.session in workload.over or event.seq <= workload.highest.get(event.session, -1):
            return
        new_session = old is None or old.session != event.session
        if new_session and event.workload is None:
            return
        if not new_session and not self._linked(workload, event):
            self.rejected.append(entry.offset)
            return
        told = event.workload or (old.workload if old else None)
        assert told is not None
        unproven = new_session or (old is not None and not old.verified)
        proving = self.trusting and unproven and event.workload is not None
        if proving:
            proven = self._proven(event, entry)
            if proven is None or (new_session and self._taken(workload, event)):
                self.rejected.append(entry.offset)
                return
            role = self._role_kept(workload, event) if new_session else None
            told = told.model_copy(update={"identity": _with_role(proven, role) if role is not None else proven})
        elif old is not None and old.verified and not new_session:
            told = told.model_copy(update={"identity": old.workload.identity})
        if new_session:
            workload.began, workload.answered = entry.offset, -1
            workload.over |= {old.session} if old is not None else set()
        self._commit(workload, event, beginning=proving)
        workload.highest[event.session] = event.seq
        workload.missed = 0
        self.present.add(entry.key)
        stays = old is not None and old.presence is Presence.CONNECTED
        verified = proving or (old is not None and old.verified and not new_session)
        if old is not None and stays and not new_session and told == old.workload and verified == old.verified:
            return
        since = old.since_ms if old is not None and stays else entry.timestamp
        self._become(
            workload,
            State(
                Presence.CONNECTED, event.session, Reason.ESTABLISHED, since, self.window, entry.offset, told, verified
            ),
        )

    def _role(self, checked: RoleChecked, entry: Entry) -> None:
        workload = self.workloads.get(checked.workload.encode())
        state = workload.state if workload is not None else None
        if workload is None or state is None or not self.trusting or checked.signature.startswith("agent"):
            return
        aws = state.workload.identity.aws
        if state.presence is not Presence.CONNECTED or state.session != checked.session:
            return
        if aws is None or aws.ec2 is None or checked.asked is None:
            return
        if not workload.began <= checked.asked or checked.asked <= workload.answered:
            return
        role = checked.role if aws.account == checked.account else None
        if role is None and not checked.answered:
            return
        workload.answered = checked.asked
        if aws.ec2.iam_role == role:
            return
        told = state.workload.model_copy(update={"identity": _with_role(state.workload.identity, role)})
        self._become(workload, state._replace(workload=told, revision=entry.offset, window=self.window))

    def _role_kept(self, workload: _Workload, event: Connect | Heartbeat) -> str | None:
        """Return the role of the session which this one goes on with, on the same machine."""
        old, chain = workload.state, workload.chain
        if old is None or not old.verified or old.presence is Presence.REMOVED or chain is None or event.proof is None:
            return None
        if event.proof.credential.iam_role is None or not chain.ended_by(event.proof.continues):
            return None
        aws = old.workload.identity.aws
        return aws.ec2.iam_role if aws is not None and aws.ec2 is not None else None

    def _linked(self, workload: _Workload, event: Connect | Heartbeat) -> bool:
        chain = workload.chain
        if chain is None:
            return True
        if isinstance(event, Connect) or not chain.has(event.link, event.seq):
            return False
        return event.chain is None or self.window >= chain.window + 2

    def _proven(self, event: Connect | Heartbeat, entry: Entry) -> Identity | None:
        if event.proof is None or event.workload is None:
            return None
        proven = self.prove(event.proof.credential, event.workload.identity, entry.timestamp)
        return proven if proven is not None and proven.name == event.workload.identity.name else None

    def _taken(self, workload: _Workload, event: Connect | Heartbeat) -> bool:
        chain = workload.chain
        if not workload.expected() or chain is None or event.proof is None:
            return False
        return not chain.ended_by(event.proof.continues)

    def _commit(self, workload: _Workload, event: Connect | Heartbeat, *, beginning: bool) -> None:
        new_session = workload.state is None or workload.state.session != event.session
        if beginning and event.proof is not None:
            made = event.proof.chain
        elif new_session:
            workload.chain = None
            return
        elif isinstance(event, Heartbeat) and event.chain is not None and workload.chain is not None:
            made = event.chain
        else:
            return
        workload.chain = _Chain(event.seq, made.anchor, made.length, self.window)

    def _goodbye(self, event: Disconnect, entry: Entry) -> None:
        workload = self.workloads.get(entry.key or b"")
        if workload is None or workload.state is None or event.session != workload.state.session:
            return
        if event.session in workload.over or event.seq <= workload.highest[event.session]:
            return
        if workload.chain is not None and not workload.chain.has(event.link, event.seq):
            self.rejected.append(entry.offset)
            return
        old = workload.state
        workload.highest[event.session] = event.seq
        workload.over.add(event.session)
        if old.presence is not Presence.ABSENT:
            workload.left_at_roll = self.rolls
        self._change(workload, entry, Presence.ABSENT, Reason.DISCONNECTED)

    def _tick(self, tick: Tick, entry: Entry) -> None:
        passed = None if self.last_tick_ms is None else entry.timestamp - self.last_tick_ms
        if tick.window != self.window or (passed is not None and 0 <= passed * 2 < self.rules.window_ms):
            return
        if passed is None or passed < 0:
            self.void = True  # nobody knows how long this window was
        if not self.void:
            self._call_the_roll(entry)
        self.window += 1
        if self.vouch is not None and self.trusting:
            self.ticked.append(entry.offset)
        self.last_tick_ms = entry.timestamp
        self.void = False
        self.present = set()

    def _call_the_roll(self, entry: Entry) -> None:
        rules = self.rules
        expected = [w for _, w in sorted(self.workloads.items()) if w.expected()]
        for workload in expected:
            workload.missed = 0 if workload.key in self.present else workload.missed + 1
        candidates = [w for w in expected if w.missed >= rules.missed_windows]
        waiting = [w for w in expected if w in candidates or w.doubted()]
        vanished = self._vanished()
        was, ordered = self.braked, self.release_ordered
        if was:
            self.braked = len(waiting) + len(vanished) > rules.brake_release_share * self.fell and not ordered
        else:
            soon = [w for w in expected if w not in waiting and w.missed >= max(1, rules.missed_windows - 1)]
            self.braked = self._too_many(waiting, soon, vanished, len(expected))
        self.release_ordered = False
        if not self.braked:
            self.rolls += 1
        if was and not self.braked and not ordered:
            self._begin_anew(waiting)
            candidates = []
        for workload in waiting if was and ordered else candidates:
            self._doubt(workload, entry) if self.braked else self._miss(workload, entry)
        for _, workload in sorted(self.workloads.items()):
            if was and ordered:
                workload.give_up()
            self._expire(workload, entry)

    def _vanished(self) -> list[_Workload]:
        """Who was called absent for silence and still has grace: the observer may have lost them one by one."""
        return [
            w
            for w in self.workloads.values()
            if w.vanished() and self.rolls < w.left_at_roll + self.rules.grace_windows
        ]

    def _too_many(
        self, waiting: list[_Workload], soon: list[_Workload], vanished: list[_Workload], expected: int
    ) -> bool:
        """Tell whether a brake must begin to hold, and remember of how many."""
        rules = self.rules
        at_stake = [w for w in vanished if self.rolls + 1 >= w.left_at_roll + rules.grace_windows] or waiting
        silent = len(waiting) + len(soon) + len(vanished)
        if not at_stake or silent < rules.brake_least or silent <= rules.brake_share * (expected + len(vanished)):
            return False
        self.fell = silent
        return True

    def _begin_anew(self, waiting: list[_Workload]) -> None:
        """Forget what was counted of silence: it was the observer's."""
        for workload in waiting:
            workload.missed = 0
        for workload in self.workloads.values():
            if workload.state is not None and workload.state.presence is Presence.ABSENT:
                workload.left_at_roll = self.rolls

    def _doubt(self, workload: _Workload, entry: Entry) -> None:
        if workload.state is not None and workload.state.presence is Presence.CONNECTED:
            self._change(workload, entry, Presence.UNKNOWN, Reason.SUSPENDED)

    def _miss(self, workload: _Workload, entry: Entry) -> None:
        workload.left_at_roll = self.rolls
        workload.given_up = False
        self._change(workload, entry, Presence.ABSENT, Reason.MISSED_WINDOWS)

    def _expire(self, workload: _Workload, entry: Entry) -> None:
        old = workload.state
        if old is None:
            return
        if old.presence is Presence.ABSENT and self.rolls - workload.left_at_roll >= self.rules.grace_windows:
            if self.held(old.workload):
                return
            workload.over.add(old.session)
            workload.removed_at_roll = self.rolls
            self._change(workload, entry, Presence.REMOVED, Reason.GRACE_EXPIRED)
        elif old.presence is Presence.REMOVED and self.rolls - workload.removed_at_roll >= self.rules.forget_windows:
            del self.workloads[workload.key]
            self.transitions.append(Transition(self.number, entry.offset, workload.key, None))

    def held(self, who: Introduction) -> bool:
        """Read all orders from the first to the last: those about everybody, and those about this group."""
        everybody = group = False
        for order in self.orders:
            held = order.action is OverrideAction.HOLD_REMOVALS
            if order.scope is None:
                everybody = held
                group = group and held
            elif order.scope == f"{who.namespace}/{who.group}":
                group = held
        return everybody or group

    def _change(self, workload: _Workload, entry: Entry, presence: Presence, reason: Reason) -> None:
        assert workload.state is not None
        old = workload.state
        since = old.since_ms if presence is old.presence else entry.timestamp
        state = State(presence, old.session, reason, since, self.window, entry.offset, old.workload, old.verified)
        self._become(workload, state)

    def _become(self, workload: _Workload, state: State) -> None:
        workload.state = state
        self.transitions.append(Transition(self.number, state.revision, workload.key, state))


class Verdicts(NamedTuple):
    """What the oracle says of a log."""

    final: dict[bytes, State]
    transitions: list[Transition]
    rejected: list[tuple[int, int]]
    """Partition and offset of each record that could not be taken."""
    windows: dict[int, int]
    braked: set[int]
    """Partitions in which nobody is marked absent or removed."""
    held: set[bytes]
    """Workloads that an order keeps from being removed."""


class Oracle:
    """Folds whole partitions from offset 0, as their records come."""

    def __init__(
        self,
        partitions: Iterable[int],
        rules: OracleRules,
        count: int,
        prove: Prove = _nobody,
        vouch: Vouch | None = None,
    ) -> None:
        """``vouch``: the bundles of this log demand that control records are signed."""
        self._rolls = {number: _Partition(number, count, rules, prove, vouch) for number in partitions}

    def fold(self, partition: int, entries: Iterable[Entry]) -> None:
        """Fold what comes next in a partition."""
        for entry in entries:
            self._rolls[partition].fold(entry)

    def verdicts(self) -> Verdicts:
        """Return what it says of everything folded so far."""
        rolls = self._rolls.values()
        return Verdicts(
            final={k: w.state for roll in rolls for k, w in roll.workloads.items() if w.state is not None},
            transitions=[transition for roll in rolls for transition in roll.transitions],
            rejected=[(roll.number, offset) for roll in rolls for offset in roll.rejected],
            windows={roll.number: roll.window for roll in rolls},
            braked={roll.number for roll in rolls if roll.braked},
            held={k for roll in rolls for k, w in roll.workloads.items() if w.state and roll.held(w.state.workload)},
        )


def oracle(
    records: Mapping[int, Iterable[Entry]],
    rules: OracleRules,
    partitions: int | None = None,
    prove: Prove = _nobody,
    vouch: Vouch | None = None,
) -> Verdicts:
    """Fold whole partitions, from offset 0; ``partitions`` is the topic's count where not all are given."""
    judge = Oracle(records, rules, partitions or len(records), prove, vouch)
    for number, entries in records.items():
        judge.fold(number, entries)
    return judge.verdicts()
