"""Laws of the story: whatever the log, it tells what the roll decided, no more and no less."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.processor.core.record import Emit
from services.processor.core.rules import Rules
from services.replay.core.chapters import Stretch
from services.replay.core.story import story
from tests.laws.logs import Step, introduction, rules, steps, written

LAW = settings(max_examples=300, deadline=None)
workloads = st.integers(0, 4).map(lambda number: introduction(number).key.to_bytes())


@given(steps, rules, workloads)
@LAW
def test_the_changes_told_are_the_states_emitted(script: list[Step], by: Rules, key: bytes) -> None:
    agents = written(script, by)
    emitted = [
        (record.offset, effect.value)
        for record, effects in zip(agents.records, agents.effects, strict=True)
        for effect in effects
        if isinstance(effect, Emit) and effect.key == key
    ]
    told = [
        (change.at.offset, change.row.outcome() if change.row is not None else None)
        for change in story(agents.records, key, by).changes
    ]
    assert told == emitted


@given(steps, rules, workloads)
@LAW
def test_the_state_told_is_the_rolls(script: list[Step], by: Rules, key: bytes) -> None:
    agents = written(script, by)
    tale = story(agents.records, key, by)
    assert tale.row == agents.roll.rows.get(key)
    assert tale.braked == agents.roll.braked
    if tale.row is not None:
        assert tale.why is not None
        assert (tale.why.presence, tale.why.at.timestamp) == (tale.row.presence, tale.row.since)
    if tale.reached is not None:
        assert tale.reached.window == agents.roll.window


@given(steps, rules, workloads, st.data())
@LAW
def test_the_state_at_a_time_is_that_of_the_log_until_then(
    script: list[Step], by: Rules, key: bytes, data: st.DataObject
) -> None:
    agents = written(script, by)
    if not agents.records:
        return
    until = data.draw(st.sampled_from(agents.records)).timestamp
    later = [number for number, record in enumerate(agents.records) if record.timestamp > until]
    upto = later[0] if later else len(agents.records)
    tale, prefix = story(agents.records, key, by, until=until), story(agents.records[:upto], key, by)
    assert replace(tale, start=prefix.start) == prefix


@given(steps, rules, workloads)
@LAW
def test_every_record_of_the_workload_is_told_once_and_a_verdict_misses_as_many_windows_as_the_rule_says(
    script: list[Step], by: Rules, key: bytes
) -> None:
    agents = written(script, by)
    tale = story(agents.records, key, by)
    stretches = [part for part in tale.telling if isinstance(part, Stretch)]
    refused = sum(note.count for part in stretches for note in part.notes if note.kind in {"Ignored", "Rejected"})
    accepted = sum(part.accepted for part in stretches) + sum(change.by != "tick" for change in tale.changes)
    assert accepted + refused == sum(record.key == key for record in agents.records)
    for change in tale.changes:
        if change.by == "tick" and change.presence in {"absent", "unknown"}:
            assert f"{by.missed_windows} of {by.missed_windows}" in change.words


@given(steps, rules, workloads, st.data())
@LAW
def test_a_log_without_its_start_is_told_without_an_error(
    script: list[Step], by: Rules, key: bytes, data: st.DataObject
) -> None:
    agents = written(script, by)
    first = data.draw(st.integers(0, len(agents.records)))
    tale = story(agents.records[first:], key, by)
    assert tale.whole == (first == 0 or first == len(agents.records))
