"""The fence: what a replay may write to a topic, given what is there."""

from collections.abc import Iterable

import pytest

from services.replay.emitting import Fate, Fence, Outcome, Outcomes, Provenance, provenance
from services.replay.refold import Place, Transition
from tests.unit.schemas.messages import KEY, WORKLOAD

OURS = [("muster-emitted-source", b"night.jsonl.zst")]


def state(revision: int) -> bytes:
    return WORKLOAD.model_copy(update={"revision": revision}).to_json()


def outcome(revision: int) -> Outcome:
    return Outcome(3, revision, state(revision))


def fence(*records: tuple[bytes | None, object]) -> Fence:
    made = Fence()
    for value, headers in records:
        made.take(KEY, value, headers)
    return made


@pytest.mark.parametrize(
    ("there", "fate"),
    [
        ([state(40)], Fate.EMITTED),
        ([state(41)], Fate.THERE),
        ([state(42)], Fate.OLDER),
        ([state(42), state(40)], Fate.OLDER),
        ([state(40), None], Fate.FORGOTTEN),
        ([None, state(40)], Fate.EMITTED),
        ([b"no state"], Fate.EMITTED),
        ([], Fate.EMITTED),
    ],
)
def test_a_state_is_emitted_over_an_older_one_only(there: Iterable[bytes | None], fate: Fate) -> None:
    """A tombstone of the processor's does not say its revision: nothing passes it."""
    assert fence(*((value, ()) for value in there)).fate(KEY, outcome(41), whole=True) is fate


def test_what_is_not_there_is_not_emitted_by_a_replay_that_ended_early() -> None:
    """It may have been forgotten since, and would come back."""
    assert fence().fate(KEY, outcome(41), whole=False) is Fate.NOT_THERE
    assert fence((state(40), ())).fate(KEY, outcome(41), whole=False) is Fate.EMITTED


def test_what_was_emitted_is_not_emitted_again() -> None:
    there = fence((state(41), OURS), (None, [*OURS, ("muster-emitted-revision", b"90")]))
    assert there.fate(KEY, outcome(90), whole=True) is Fate.THERE
    assert there.fate(KEY, outcome(41), whole=True) is Fate.OLDER


def test_a_newer_state_that_was_written_meanwhile_and_overtaken_is_put_back() -> None:
    """The processor wrote 60 after the fence was read and before our 50: compaction would keep ours."""
    there = fence((state(40), ()))
    there.watch()
    there.take(KEY, state(60), ())
    there.take(KEY, state(50), OURS)
    assert there.overtaken == {KEY: state(60)}
    there.take(KEY, state(60), ())
    assert there.overtaken == {}


def test_a_workload_forgotten_meanwhile_stays_forgotten() -> None:
    there = fence((state(40), ()))
    there.watch()
    there.take(KEY, None, ())
    there.take(KEY, state(50), OURS)
    assert there.overtaken == {KEY: None}


def test_late_states_of_a_former_owner_are_none_of_ours() -> None:
    there = fence((state(40), ()))
    there.watch()
    there.take(KEY, state(60), ())
    there.take(KEY, state(50), ())
    assert there.overtaken == {}


def test_of_each_workload_only_the_newest_certain_outcome_is_kept() -> None:
    outcomes = Outcomes()
    for revision, certain in ((40, True), (41, True)):
        told = WORKLOAD.model_copy(update={"revision": revision})
        outcomes.take(Transition(Place(3, revision, 0), KEY, None, told, certain))
    assert outcomes.found == {KEY: outcome(41)}
    outcomes.take(Transition(Place(3, 50, 0), KEY, None, None, certain=True))
    assert outcomes.found == {KEY: Outcome(3, 50, None)}
    outcomes.take(Transition(Place(3, 60, 0), KEY, None, WORKLOAD, certain=False))
    assert outcomes.found == {}
    assert outcomes.uncertain == 1


def test_the_headers_say_where_a_state_comes_from() -> None:
    told = Provenance("night.jsonl.zst", "abc", {3: (0, 90)}, "ann", "lost", "2026-11-23T04:00:00.000Z", "0.1.0")
    assert provenance(told.headers(outcome(41))) == {
        "source": "night.jsonl.zst",
        "cluster": "abc",
        "range": "3:0-90",
        "revision": "41",
        "who": "ann",
        "why": "lost",
        "at": "2026-11-23T04:00:00.000Z",
        "version": "0.1.0",
    }
    assert provenance(()) == {}
