"""Where a workload stands that was removed once."""

from datetime import timedelta

import pytest
from aiokafka import ConsumerRecord

from schemas.topics import REMOVALS, RESTORES, WORKLOADS
from schemas.workloads import Presence
from services.cli.removed import HEAD, WIDE, Removed
from services.replay.labels import Labels, labels
from services.replay.moments import duration
from tests.unit.schemas.messages import INTRODUCTION, NOON, REMOVAL, RESTORE, WORKLOAD

KEY = INTRODUCTION.key
LATER = NOON + timedelta(minutes=5)
GONE = WORKLOAD.model_copy(update={"presence": Presence.REMOVED})


def record(topic: str, value: bytes | None, offset: int = 0) -> ConsumerRecord[bytes, bytes]:
    """Return a record as it is read, written at noon."""
    millis = int(NOON.timestamp() * 1000)
    return ConsumerRecord(topic, 0, offset, millis, 1, KEY.to_bytes(), value, None, 0, 0, ())


def known(*records: ConsumerRecord[bytes, bytes]) -> Removed:
    """Return what these records tell."""
    removed = Removed()
    for one in records:
        removed.take(one)
    return removed


def test_a_removal_nobody_undid_is_removed() -> None:
    removed = known(record(REMOVALS, REMOVAL.to_json()), record(WORKLOADS, GONE.to_json()))
    assert removed.state(KEY, LATER) == "removed"
    assert removed.since(KEY) is None


def test_a_restored_one_says_until_when_and_by_whom_also_when_it_is_over() -> None:
    removed = known(
        record(REMOVALS, REMOVAL.to_json()), record(WORKLOADS, GONE.to_json()), record(RESTORES, RESTORE.to_json())
    )
    assert removed.state(KEY, LATER) == "restored until 2026-11-23T13:00:00.000Z by ada"
    assert removed.state(KEY, NOON + timedelta(hours=2)) == "was restored until 2026-11-23T13:00:00.000Z by ada"


def test_one_whose_agent_spoke_again_is_back_whatever_was_ordered() -> None:
    back = WORKLOAD.model_copy(update={"revision": 50})
    removed = known(
        record(REMOVALS, REMOVAL.to_json()), record(RESTORES, RESTORE.to_json()), record(WORKLOADS, back.to_json())
    )
    assert removed.state(KEY, LATER) == "back: connected"
    assert removed.since(KEY) == back


def test_an_order_for_an_earlier_removal_restores_nothing() -> None:
    again = REMOVAL.model_copy(update={"revision": 90})
    removed = known(record(RESTORES, RESTORE.to_json()), record(REMOVALS, again.to_json()))
    assert removed.state(KEY, LATER) == "removed"


def test_rows_are_under_their_heads_and_the_newest_is_first() -> None:
    removed = known(record(REMOVALS, REMOVAL.to_json()), record(REMOVALS, b"{}"))
    assert removed.unreadable == 1
    assert removed.chosen("elsewhere", Labels()) == []
    assert removed.chosen(None, labels(["version=v6"])) == []
    (narrow,) = removed.rows(removed.chosen("bookinfo", Labels()), LATER, wide=False)
    (wide,) = removed.rows(removed.chosen(None, labels(["version=v5"])), LATER, wide=True)
    assert narrow == ("bookinfo", REMOVAL.name, "5m", "removed")
    assert len(narrow) == len(HEAD)
    assert len(wide) == len(HEAD) + len(WIDE)
    assert wide[4:] == ("ratings", "-", "3:41", "7", "u", "GracePeriodExpired: absent for 30 windows")


def test_a_duration_is_a_number_and_a_unit() -> None:
    assert duration("90m") == timedelta(minutes=90)
    with pytest.raises(ValueError, match="no duration"):
        duration("soon")
