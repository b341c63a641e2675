"""Three accounts of the same 200 workloads, laid side by side: the oracle's, the processor's, and Kubernetes'.

Each function returns what does not agree, in words that name the workload and the offset; nothing means all equal.
"""

from collections.abc import Mapping, Sequence

from schemas import resource, topics
from schemas.codec import Rejection, decode_answer, decode_workload, decode_written
from schemas.names import parse_key
from schemas.registrations import Registered
from schemas.resource import ConditionType
from schemas.workloads import Presence, Workload
from tests.integration.world import Seen, War
from tests.support.oracle import State, Verdicts

STATUS = {Presence.CONNECTED: "True", Presence.UNKNOWN: "Unknown", Presence.ABSENT: "False"}


def workloads(records: Mapping[int, Sequence[Seen]]) -> list[tuple[bytes, Workload]]:
    """Return every state told on ``muster.workloads``; bytes that are none fail the test."""
    told: list[tuple[bytes, Workload]] = []
    for partition, seen in records.items():
        for record in seen:
            assert record.value is not None, f"{record.key!r} was forgotten at {partition}/{record.offset}"
            state = decode_workload(record.value)
            assert not isinstance(state, Rejection), f"{topics.WORKLOADS} {partition}/{record.offset}: {state}"
            assert state.partition == partition, f"{record.key!r} of partition {state.partition} stands in {partition}"
            told.append((record.key, state))
    return told


def newest(told: Sequence[tuple[bytes, Workload]]) -> dict[bytes, Workload]:
    """Return what a consumer knows in the end: the state of the highest revision of each key."""
    known: dict[bytes, Workload] = {}
    for key, state in told:
        if key not in known or state.revision >= known[key].revision:
            known[key] = state
    return known


def facts(state: Workload) -> State:
    """Return a told state as the oracle would put it."""
    since_ms = round(state.since.timestamp() * 1000)
    verified = state.verified is not None
    told = state.workload
    return State(state.presence, state.session, state.reason, since_ms, state.window, state.revision, told, verified)


def told_against_oracle(told: Sequence[tuple[bytes, Workload]], verdicts: Verdicts) -> list[str]:
    """Compare every transition ever told: none was told but not come to, and none that still stands is missing.

    One that was overtaken before a crash let it be told may be missing: ADR 0004 says so.
    """
    processor = {(key, state.revision): facts(state) for key, state in told}
    judge = {(t.key, t.offset): t.state for t in verdicts.transitions}
    newest = dict(sorted(processor))
    found = [
        f"{key.decode()} at {offset}: told {processor.get((key, offset))}, the oracle says {judge.get((key, offset))}"
        for key, offset in sorted(processor.keys() | judge.keys())
        if processor.get((key, offset)) != judge.get((key, offset))
        and ((key, offset) in processor or offset > newest.get(key, -1))
    ]
    repeated = [
        f"{key.decode()} at {state.revision}: told again, but otherwise: {facts(state)}"
        for key, state in told
        if facts(state) != processor[key, state.revision]
    ]
    return found + repeated


def final_against_oracle(known: Mapping[bytes, Workload], verdicts: Verdicts) -> list[str]:
    """Compare the newest state of every workload."""
    return [
        f"{key.decode()}: told {known.get(key)}, the oracle says {verdicts.final.get(key)}"
        for key in sorted(known.keys() | verdicts.final.keys())
        if key not in known or facts(known[key]) != verdicts.final.get(key)
    ]


def wars_against_told(
    wars: Mapping[bytes, War], known: Mapping[bytes, Workload], answers: Mapping[bytes, Registered | object]
) -> list[str]:
    """Compare Kubernetes with the newest states: the same workloads, field by field, and its agent was told so."""
    living = {key: state for key, state in known.items() if state.presence is not Presence.REMOVED}
    found = [f"{key.decode()}: a WAR without a workload" for key in sorted(wars.keys() - living.keys())]
    found += [f"{key.decode()}: a workload without a WAR" for key in sorted(living.keys() - wars.keys())]
    for key in sorted(wars.keys() & living.keys()):
        fields = _fields(wars[key], living[key], answers.get(key))
        found += [f"{key.decode()} {name}: {ours} in Kubernetes, {theirs} told" for name, ours, theirs in fields]
    return found


def _fields(war: War, state: Workload, answer: object) -> list[tuple[str, object, object]]:
    condition = war.condition(ConditionType.AGENT_CONNECTED)
    verified = war.condition(ConditionType.IDENTITY_VERIFIED)
    pairs: list[tuple[str, object, object]] = [
        ("identity", war.spec.identity, state.workload.identity),
        ("registration", war.spec.registration, state.workload.registration),
        ("session", war.status.session, state.session),
        ("partition", war.status.partition, state.partition),
        ("revision", war.status.revision, state.revision),
        ("AgentConnected", condition and condition.status, STATUS[state.presence]),
        ("reason", condition and condition.reason, state.reason.value),
        ("lastTransitionTime", condition and condition.last_transition_time, state.since),
        ("IdentityVerified", verified and (verified.status, verified.reason), ("True", "CredentialVerified")),
        ("verified", war.status.verified, state.verified),
    ]
    if state.presence is Presence.CONNECTED:
        told = (answer.session, answer.uid) if isinstance(answer, Registered) else answer
        pairs.append(("answer", (war.status.session, war.uid), told))
    return [pair for pair in pairs if pair[1] != pair[2]]


def wars_against_actions(wars: Mapping[bytes, War], records: Mapping[int, Sequence[Seen]]) -> list[str]:
    """Compare the version of every WAR with the last that the sink told of having made."""
    told: dict[bytes, tuple[str, str]] = {}
    for seen in records.values():
        for record in seen:
            action = decode_written(record.value or b"")
            assert not isinstance(action, Rejection), action
            if action.kind == resource.KIND:
                told[record.key] = (action.uid, action.resource_version)
    return [
        f"{key.decode()}: {told.get(key)} was told last, it is {(war.uid, war.version)}"
        for key, war in sorted(wars.items())
        if told.get(key) != (war.uid, war.version)
    ]


def war_name(key: bytes) -> str:
    """Return the name of a workload's objects in Kubernetes."""
    parsed = parse_key(key)
    assert parsed is not None
    return parsed.war_name


def answers_of(records: Mapping[int, Sequence[Seen]]) -> dict[bytes, object]:
    """Return the newest answer to each workload's agent."""
    return {r.key: decode_answer(r.value) for seen in records.values() for r in seen if r.value is not None}


def wronged(verdicts: Verdicts, told: Sequence[tuple[bytes, Workload]], always_there: set[bytes]) -> list[str]:
    """Return every time a workload whose agent ran all the time was called absent or removed, by anybody."""
    gone = {Presence.ABSENT, Presence.REMOVED}
    by_oracle = [(t.key, t.offset, t.state.presence) for t in verdicts.transitions if t.state is not None]
    by_processor = [(key, state.revision, state.presence) for key, state in told]
    return [
        f"{key.decode()} at {offset}: {presence.value}, and its agent was there"
        for key, offset, presence in by_oracle + by_processor
        if presence in gone and key in always_there
    ]
