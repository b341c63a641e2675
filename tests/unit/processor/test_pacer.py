"""When a tick is appended, and which window it names."""

from services.processor.core.pacer import AppendResumed, AppendTick, AppendTrusted, Pacer

WINDOW_MS = 1000


def _resumed(at_ms: float = 0, offset: int = 10) -> Pacer:
    """Return a pacer whose ``Resumed`` stands in the log."""
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(at_ms, 0, 0) == AppendResumed()
    pacer.appended(at_ms, offset)
    return pacer


def test_a_new_owner_says_that_it_resumed_before_any_tick() -> None:
    assert Pacer(WINDOW_MS).due(0, 5, 100) == AppendResumed()


def test_no_tick_is_appended_before_the_owners_own_resumed_was_folded() -> None:
    pacer = _resumed(offset=10)
    assert pacer.due(5000, 3, 10) is None
    assert pacer.due(5000, 3, 11) == AppendTick(3)


def test_a_tick_comes_a_window_after_the_one_before() -> None:
    pacer = _resumed()
    assert pacer.due(WINDOW_MS - 1, 3, 11) is None
    assert pacer.due(WINDOW_MS, 3, 11) == AppendTick(3)
    pacer.appended(WINDOW_MS + 5, 20)
    assert pacer.due(2 * WINDOW_MS + 4, 4, 21) is None
    assert pacer.due(2 * WINDOW_MS + 5, 4, 21) == AppendTick(4)


def test_an_owner_that_lags_names_the_window_after_its_own_last_tick() -> None:
    pacer = _resumed()
    assert pacer.due(1000, 3, 11) == AppendTick(3)
    pacer.appended(1000, 20)
    assert pacer.due(2000, 3, 15) == AppendTick(4)
    pacer.appended(2000, 30)
    assert pacer.due(3000, 3, 30) == AppendTick(5)


def test_never_are_two_records_of_one_partition_under_way() -> None:
    pacer = _resumed()
    assert pacer.due(1000, 3, 11) == AppendTick(3)
    assert pacer.due(90_000, 3, 11) is None


def test_a_tick_that_could_not_be_appended_is_named_the_same_when_it_is_due_again() -> None:
    pacer = _resumed()
    assert pacer.due(1000, 3, 11) == AppendTick(3)
    pacer.failed(60_000)
    assert pacer.due(60_000, 3, 11) is None
    assert pacer.due(60_000 + WINDOW_MS, 3, 11) == AppendTick(3)


def test_a_resumed_that_could_not_be_appended_is_due_again_before_any_tick() -> None:
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(0, 0, 0) == AppendResumed()
    pacer.failed(0)
    assert pacer.due(WINDOW_MS, 0, 50) == AppendResumed()


def test_an_owner_names_its_trust_bundle_before_anything_else_and_again_when_it_changes() -> None:
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(0, 5, 100, "one") == AppendTrusted("one")
    pacer.appended(0, 101)
    assert pacer.due(0, 5, 100, "one") == AppendResumed()
    pacer.appended(0, 102)
    assert pacer.due(WINDOW_MS, 5, 103, "two") == AppendTrusted("two")
    pacer.appended(WINDOW_MS, 103)
    assert pacer.due(WINDOW_MS, 5, 103, "two") == AppendTick(5)


def test_a_bundle_that_could_not_be_named_is_named_when_kafka_takes_records_again() -> None:
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(0, 5, 100, "one") == AppendTrusted("one")
    pacer.failed(0)
    assert pacer.due(WINDOW_MS, 5, 100, "one") == AppendTrusted("one")
