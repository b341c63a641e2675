"""The processor's fold and the oracle's are two programs: on any log they come to the same transitions."""

from hypothesis import given, settings

from schemas.codec import Rejection, decode_workload
from schemas.credentials import Credential
from schemas.events import ControlEvent, Override
from schemas.identity import Identity
from schemas.message import instant
from services.identity.core.verdict import Accepted
from services.processor.core.record import Effect, Emit, Reject
from services.processor.core.rules import Rules
from tests.laws.chains import WordTrust, signature_by
from tests.laws.logs import RULES, Agents, Step, proofs, steps, written
from tests.support.oracle import OracleRules, Transition, Verdicts, oracle

PARTITIONS = 1


def _rules(rules: Rules) -> OracleRules:
    return OracleRules(**{name: getattr(rules, name) for name in OracleRules._fields})


def _prove(credential: Credential, claimed: Identity, at: int) -> Identity | None:
    found = WordTrust().verify("", credential, claimed, instant(at), "")
    return found.identity if isinstance(found, Accepted) else None


def _vouch(event: ControlEvent, partition: int) -> bool:
    by = "ann" if isinstance(event, Override) else "owner"
    return event.signature == signature_by(by, event.statement(partition))


def _oracle(agents: Agents) -> Verdicts:
    vouch = _vouch if agents.signed else None
    return oracle({0: agents.records}, _rules(RULES), PARTITIONS, _prove, vouch)


def _told(effects: list[tuple[Effect, ...]]) -> list[tuple[object, ...]]:
    """What the processor would have written to ``muster.workloads``, in order."""
    told: list[tuple[object, ...]] = []
    for offset, batch in enumerate(effects):
        for effect in batch:
            if not isinstance(effect, Emit):
                continue
            if effect.value is None:
                told.append((offset, effect.key, None))
                continue
            state = decode_workload(effect.value)
            assert not isinstance(state, Rejection)
            moment = round(state.since.timestamp() * 1000)
            facts = (state.presence, state.session, state.reason, moment, state.window, state.revision, state.workload)
            told.append((offset, effect.key, (*facts, state.verified is not None)))
    return told


def _said(transitions: list[Transition]) -> list[tuple[object, ...]]:
    return [(t.offset, t.key, tuple(t.state) if t.state is not None else None) for t in transitions]


@settings(max_examples=500, deadline=None)
@given(steps, proofs)
def test_the_processor_and_the_oracle_tell_the_same_transitions_of_any_log(script: list[Step], proving: str) -> None:
    agents = written(script, RULES, proving)
    verdicts = _oracle(agents)
    assert sorted(_told(agents.effects), key=repr) == sorted(_said(verdicts.transitions), key=repr)


@settings(max_examples=500, deadline=None)
@given(steps, proofs)
def test_the_processor_and_the_oracle_reject_the_same_records(script: list[Step], proving: str) -> None:
    agents = written(script, RULES, proving)
    rejected = [(0, n) for n, batch in enumerate(agents.effects) if any(isinstance(e, Reject) for e in batch)]
    assert rejected == _oracle(agents).rejected


@settings(max_examples=500, deadline=None)
@given(steps, proofs)
def test_the_processor_and_the_oracle_count_the_same_windows(script: list[Step], proving: str) -> None:
    agents = written(script, RULES, proving)
    assert agents.roll.window == _oracle(agents).windows[0]
