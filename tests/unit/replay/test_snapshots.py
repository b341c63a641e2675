"""A fold that goes on from a snapshot comes to what a fold from zero comes to; where it cannot know, it says so."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.processor.core.record import Appended
from services.replay.chunks import Chunk, Gap, Why
from services.replay.refold import Refold, Transition
from services.replay.snapshot_file import packed, unpacked
from services.replay.snapshots import Snapshot, SnapshotError, beginnings
from services.replay.summary import begun
from tests.laws.logs import RULES, Step, steps, written
from tests.support.logs import Log

TOPIC = "muster.events"


def saved(refold: Refold) -> Snapshot:
    return unpacked([packed(Snapshot(source="a test", cluster="c", partitions=1, parts=refold.parts()))])


def folded(records: Sequence[Appended], snapshot: Snapshot | None = None) -> tuple[Refold, list[Transition]]:
    refold = Refold(RULES)
    if snapshot is not None:
        refold.restore(snapshot)
    told = refold.take(Chunk(TOPIC, 0, records))
    return refold, [one for one in told if isinstance(one, Transition)]


@given(steps, st.data())
@settings(max_examples=200, deadline=None)
def test_a_fold_from_a_snapshot_tells_what_the_whole_fold_tells_behind_it(
    script: list[Step], data: st.DataObject
) -> None:
    """Whatever the log, wherever it was taken, and however much of the log before it is read again."""
    records = list(written(script).records)
    cut = data.draw(st.integers(0, len(records)))
    whole, told = folded(records)
    before, _ = folded(records[:cut])
    if not before.standings or whole.standings[0].fit.told:
        return  # nothing was there, or its ticks came as no owner's would
    snapshot = saved(before)
    start = data.draw(st.integers(0, beginnings(snapshot)[0].resume))
    after, again = folded(records[start:], snapshot)
    assert again == [one for one in told if one.place.offset >= cut]
    assert after.states() == whole.states()
    assert after.standings[0].doubts == []


def a_log() -> Log:
    log = Log()
    log.connect(1)
    for number in range(6):
        log.heartbeat(1, seq=number + 1)
        log.tick()
    return log


def test_records_missing_behind_the_snapshot_make_everything_uncertain() -> None:
    log = a_log()
    snapshot = saved(folded(log.records[:6])[0])
    resume = beginnings(snapshot)[0].resume
    refold, _ = folded(log.records[resume + 2 :], snapshot)
    assert refold.standings[0].doubts == [f"offsets {resume} to {resume + 1} are missing behind the snapshot"]
    assert begun(refold) == ["partition 0: from the state before offset 6 (a test)"]


def test_what_retention_took_before_the_snapshot_is_no_loss() -> None:
    log = a_log()
    snapshot = saved(folded(log.records[:6])[0])
    resume = beginnings(snapshot)[0].resume
    refold = Refold(RULES)
    refold.restore(snapshot)
    list(refold.take(Gap(TOPIC, 0, 0, resume, Why.RETENTION)))
    list(refold.take(Chunk(TOPIC, 0, log.records[resume:])))
    assert refold.standings[0].doubts == []


def test_doubts_of_the_fold_that_was_saved_stay_doubts() -> None:
    log = a_log()
    refold, _ = folded(log.records[4:8])
    again, _ = folded(log.records, saved(refold))
    assert again.standings[0].doubts == refold.standings[0].doubts


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"{}\n", "no snapshot"),
        (b"[]\n", "no snapshot"),
        (b"nonsense\n", "no snapshot"),
        (b'{"type":"snapshot","v":2}\n', "reads v1"),
        (b'{"type":"snapshot","v":1}\n', "cannot be read"),
        (packed(Snapshot(source="", parts=()))[:-3], "cut off"),
    ],
)
def test_what_is_no_snapshot_is_said_to_be_none(content: bytes, words: str) -> None:
    with pytest.raises(SnapshotError, match=words):
        unpacked([content])


def test_a_snapshot_of_another_log_does_not_fit() -> None:
    snapshot = Snapshot(source="", cluster="c", partitions=2, parts=())
    snapshot.fits("c", 2)
    snapshot.fits(None, None)
    with pytest.raises(SnapshotError, match="of cluster c, and the log of d"):
        snapshot.fits("d", 2)
    with pytest.raises(SnapshotError, match="2 partitions, and the log has 4"):
        snapshot.fits("c", 4)
