"""Laws of the fold: what holds for every log, crash and redelivery (DESIGN.md, rules 2 to 4; ADR 0004)."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.codec import Rejection, decode_event, decode_workload
from schemas.events import Connect, Disconnect, Heartbeat, Resumed, Tick
from schemas.names import CONTROL_KEY
from schemas.workloads import Presence, Workload
from services.processor.core.record import Effect, Emit, Record, Reject, Store
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from tests.laws.chains import WordTrust
from tests.laws.logs import OWNER, RULES, Step, introduction, picture, proofs, rules, steps, written

LAW = settings(max_examples=300, deadline=None)


def states(effects: list[Effect]) -> dict[bytes, Workload]:
    """Return what a consumer of muster.workloads knows: the newest revision of each key, tombstones aside."""
    known: dict[bytes, Workload] = {}
    for effect in effects:
        if isinstance(effect, Emit) and effect.value is not None:
            state = decode_workload(effect.value)
            assert not isinstance(state, Rejection)
            if effect.key not in known or state.revision >= known[effect.key].revision:
                known[effect.key] = state
    return known


class Disk:
    """What outlives a processor: rows in changelog order, states told, and the committed offset."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.rows: dict[bytes, bytes] = {}
        self.told: list[Effect] = []
        self.committed = 0

    def run(self, records: list[Record], folded: int, durable: float, committed: float) -> Roll:
        """Fold up to ``folded`` records, then die: only a prefix of what was sent after the commit is durable."""
        roll = Roll.restore(0, self.rules, self.rows.items(), trust=WordTrust())
        at_record: list[tuple[int, int]] = []
        sent: list[Effect] = []
        for record in records[self.committed : folded]:
            sent.extend(effect for _offset, effects in roll.fold_all([record]) for effect in effects)
            at_record.append((len(sent), roll.resume))
        commit_at = at_record[int(committed * (len(at_record) - 1))] if at_record else (0, self.committed)
        kept = commit_at[0] + int(durable * (len(sent) - commit_at[0]))
        for number, effect in enumerate(sent):
            if isinstance(effect, Store) and number < kept:
                if effect.row is None:
                    self.rows.pop(effect.key, None)
                else:
                    self.rows[effect.key] = effect.row
            # Topics are not ordered among each other: of what was told after the commit, nothing need have arrived.
            elif isinstance(effect, Emit) and number < commit_at[0]:
                self.told.append(effect)
        self.committed = max(self.committed, commit_at[1])
        return roll


crashes = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=3)


@given(steps, crashes, rules, proofs)
@settings(max_examples=3000, deadline=None)
def test_a_fold_from_any_crash_equals_the_fold_from_zero(
    script: list[Step], dies: list[tuple[float, float, float]], by: Rules, proving: str
) -> None:
    """Whatever was durable when it died, the next owner ends with the same state and has told the same states."""
    agents = written(script, by, proving)
    disk = Disk(by)
    for folded, durable, committed in dies:
        disk.run(agents.records, int(folded * len(agents.records)), durable, committed)
    survivor = disk.run(agents.records, len(agents.records), 1.0, 1.0)
    assert picture(survivor) == picture(agents.roll)
    wanted = states([effect for effects in agents.effects for effect in effects])
    told = states(disk.told)
    living = set(agents.roll.rows)
    assert {key: told[key] for key in living} == {key: wanted[key] for key in living}


@given(steps, rules, proofs, st.data())
@LAW
def test_a_chunk_folded_at_once_has_the_effects_of_its_records_one_by_one(
    script: list[Step], by: Rules, proving: str, data: st.DataObject
) -> None:
    """Also from any rows an owner may begin with, and however the log is cut into chunks."""
    agents = written(script, by, proving)
    begin = data.draw(st.integers(0, len(agents.records)))
    before = Roll(0, by, trust=WordTrust())
    stored = {e.key: e.row for _, told in before.fold_all(agents.records[:begin]) for e in told if isinstance(e, Store)}
    rows = [(key, row) for key, row in stored.items() if row is not None]
    at_once, one_by_one = (Roll.restore(0, by, rows, trust=WordTrust()) for _ in range(2))
    records = agents.records[before.resume :]
    cut = data.draw(st.integers(1, 7))
    chunks = [records[first : first + cut] for first in range(0, len(records), cut)]
    told = [found for chunk in chunks for found in at_once.fold_all(chunk)]
    assert told == [(r.offset, effects) for r in records if (effects := one_by_one.fold(r))]
    assert picture(at_once) == picture(one_by_one) == picture(agents.roll)
    assert (at_once.position, at_once.resume) == (one_by_one.position, one_by_one.resume)


def test_a_role_that_is_stored_after_a_heartbeat_leaves_the_window_before_as_it_was() -> None:
    """What the law above found, in the end: the next owner forgot that the session was there in the window before."""
    kinds = ("heir", "heartbeat", "heartbeat", "tick", "heartbeat", "role")
    script = [Step(kind, 0, 1 if kind == "role" else 0, 1000) for kind in kinds]
    by = Rules(window_ms=1000, missed_windows=2, grace_windows=3, brake_least=3, forget_windows=4)
    agents = written(script, by, "first")
    before = Roll(0, by, trust=WordTrust())
    stored = {e.key: e.row for _, told in before.fold_all(agents.records) for e in told if isinstance(e, Store)}
    heir = Roll.restore(0, by, [(key, row) for key, row in stored.items() if row], trust=WordTrust())
    for record in agents.records[before.resume :]:
        heir.fold(record)
    assert picture(heir) == picture(agents.roll)


@given(steps, st.data())
@LAW
def test_redelivering_any_past_record_changes_nothing(script: list[Step], data: st.DataObject) -> None:
    agents = written(script)
    before = picture(agents.roll)
    for record in data.draw(st.lists(st.sampled_from(agents.records), max_size=5)) if agents.records else ():
        assert agents.roll.fold(record) == ()
    assert picture(agents.roll) == before


@given(st.lists(st.sampled_from(("connect", "heartbeat", "goodbye", "introduce", "tick")), max_size=40), st.data())
@LAW
def test_replaying_the_log_at_new_offsets_adds_nothing(kinds: list[str], data: st.DataObject) -> None:
    """Everything agents ever sent, sent again: no state changes (ten sessions are remembered here)."""
    script = [Step(kind, data.draw(st.integers(0, 2)), 0, 1000) for kind in kinds[:24]]
    agents = written(script)
    rows = dict(agents.roll.rows)
    first = len(agents.effects)
    for record in list(agents.records):
        if record.key != CONTROL_KEY:
            agents.append(record.key, record.value or b"")
    kept = RULES.superseded_kept
    if all(len(sessions) <= kept for sessions in agents.sessions.values()):
        assert not [effect for effects in agents.effects[first:] for effect in effects if isinstance(effect, Emit)]
        assert agents.roll.rows == rows


@given(steps)
@LAW
def test_nobody_is_marked_in_a_void_window(script: list[Step]) -> None:
    agents = written(script)
    void = True
    for record, effects in zip(agents.records, agents.effects, strict=True):
        event = decode_event(record.key, record.value)
        if isinstance(event, Resumed):
            void = True
        if isinstance(event, Tick):
            if void:
                assert not [effect for effect in effects if isinstance(effect, Emit)]
            if any(isinstance(effect, Store) for effect in effects):
                void = False


@given(steps, st.integers(0, 10**10))
@LAW
def test_the_silence_of_the_broker_expires_nobody(script: list[Step], silence: int) -> None:
    """However long nothing is appended, the next tick closes one window and no more."""
    patient, hasty = written(script), written(script)
    for agents, pause in ((patient, 0), (hasty, silence)):
        agents.now = max(agents.now, agents.roll.state.opened or 0)
        agents.write(Step("tick", 0, 0, 1000 + pause))
    ours, theirs = patient.roll, hasty.roll
    assert {key: row.presence for key, row in ours.rows.items()} == {
        key: row.presence for key, row in theirs.rows.items()
    }
    assert ours.state.missed == theirs.state.missed


@given(steps)
@LAW
def test_an_agent_heard_in_every_window_is_never_marked(script: list[Step]) -> None:
    """Whatever else goes on, workload 9 sends one heartbeat a window and stays connected."""
    agents = written([Step("connect", 9, 0, 0)])
    for step in script:
        agents.write(Step("heartbeat", 9, 0, 0))
        agents.write(step)
    key = introduction(9).key.to_bytes()
    told = [effect for effects in agents.effects for effect in effects if isinstance(effect, Emit)]
    assert {state.presence for state in (states([effect]).get(key) for effect in told) if state} <= {Presence.CONNECTED}


@given(steps)
@LAW
def test_every_told_revision_is_that_of_its_record_and_grows(script: list[Step]) -> None:
    agents = written(script)
    newest: dict[bytes, int] = {}
    for record, effects in zip(agents.records, agents.effects, strict=True):
        for key, state in states(list(effects)).items():
            assert state.revision == record.offset > newest.get(key, -1)
            newest[key] = state.revision


@given(steps, st.lists(st.sampled_from(("tick", "heartbeat", "connect", "goodbye", "resumed")), max_size=30))
@LAW
def test_nobody_is_removed_while_removals_are_held(script: list[Step], kinds: list[str]) -> None:
    """Whatever else happens; and resumed, the next counted window removes whoever is over the grace."""
    agents = written([*script, Step("hold", 0, 0, 0)])
    first = len(agents.effects)
    for kind in kinds:
        agents.write(Step(kind, 1, 0, 1000))
    told = states([effect for effects in agents.effects[first:] for effect in effects])
    assert Presence.REMOVED not in {state.presence for state in told.values()}
    agents.write(Step("resume", 0, 0, 0))
    rolls = agents.roll.state.rolls
    over = {key for key in agents.roll.absent if rolls + 1 - agents.roll.away(key) >= RULES.grace_windows}
    agents.write(Step("tick", 0, 0, 1000))
    if agents.roll.state.rolls > rolls >= agents.roll.state.anew:  # a brake that lets go begins everybody's grace anew
        removed = {key for key, state in states(list(agents.effects[-1])).items() if state.presence is Presence.REMOVED}
        assert removed >= over


@given(steps)
@LAW
def test_every_change_is_a_transition(script: list[Step]) -> None:
    """A heartbeat that changes nothing has no effect at all."""
    agents = written(script)
    for record, effects in zip(agents.records, agents.effects, strict=True):
        event = decode_event(record.key, record.value)
        if isinstance(event, Heartbeat) and event.workload is None:
            told = states(list(effects))
            assert all(state.presence is Presence.CONNECTED for state in told.values())
            assert len(told) <= 1


@given(steps)
@example([Step("connect", 0, 0, 0)])
@LAW
def test_a_goodbye_is_the_last_word_of_its_session(script: list[Step]) -> None:
    agents = written([*script, Step("connect", 7, 0, 0), Step("goodbye", 7, 0, 0)])
    session = agents.sessions[7][-1]
    who = introduction(7)
    for seq, event in enumerate(
        (
            Heartbeat(session=session, seq=50),
            Heartbeat(session=session, seq=51, workload=who),
            Connect(session=session, seq=52, workload=who),
            Disconnect(session=session, seq=53),
        )
    ):
        agents.now += seq
        agents.append(who.key.to_bytes(), event.to_json())
        assert not [effect for effect in agents.effects[-1] if isinstance(effect, Emit)]
    assert agents.roll.rows[who.key.to_bytes()].closed
    assert OWNER not in agents.roll.rows[who.key.to_bytes()].superseded


FORGED = ("forged tick", "forged resumed", "forged trusted", "forged override")


@given(steps, st.lists(st.sampled_from(FORGED), max_size=4), rules)
@LAW
def test_what_nobody_signed_and_what_was_said_before_changes_nothing(
    script: list[Step], forgeries: list[str], by: Rules
) -> None:
    """Who may write to the topic writes control records of his own, and every one that ever stood there again."""
    agents = written(script, by, "signed")
    before = picture(agents.roll)
    for kind in forgeries:
        agents.write(Step(kind, 0, 0, 1000))
        assert [effect.reason for effect in agents.effects[-1] if isinstance(effect, Reject)] == ["ForgedControl"]
    for record in list(agents.records):
        event = decode_event(record.key, record.value)
        # A tick names its window: one that came too soon for it may still close it, which is what it says.
        if record.key == CONTROL_KEY and not (isinstance(event, Tick) and event.window >= agents.roll.window):
            agents.now += 1000
            agents.append(record.key, record.value or b"")
    assert picture(agents.roll) == before
