"""When a tick is appended, and which window it names."""

from services.processor.core.pacer import AppendResumed, AppendTick, AppendTrusted, Pacer, Seen

WINDOW_MS = 1000
RESUMED = 10**6
"""Whatever was said of a takeover counted."""


def _resumed(at_ms: float = 0, offset: int = 10) -> Pacer:
    """Return a pacer whose ``Resumed`` stands in the log."""
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(at_ms, Seen(0, 0, RESUMED)) == AppendResumed()
    pacer.appended(at_ms, offset)
    return pacer


def test_a_new_owner_says_that_it_resumed_before_any_tick() -> None:
    assert Pacer(WINDOW_MS).due(0, Seen(5, 100, RESUMED)) == AppendResumed()


def test_no_tick_is_appended_before_the_owners_own_resumed_was_folded() -> None:
    pacer = _resumed(offset=10)
    assert pacer.due(5000, Seen(3, 10, RESUMED)) is None
    assert pacer.due(5000, Seen(3, 11, RESUMED)) == AppendTick(3)


def test_a_tick_comes_a_window_after_the_one_before() -> None:
    pacer = _resumed()
    assert pacer.due(WINDOW_MS - 1, Seen(3, 11, RESUMED)) is None
    assert pacer.due(WINDOW_MS, Seen(3, 11, RESUMED)) == AppendTick(3)
    pacer.appended(WINDOW_MS + 5, 20)
    assert pacer.due(2 * WINDOW_MS + 4, Seen(4, 21, RESUMED)) is None
    assert pacer.due(2 * WINDOW_MS + 5, Seen(4, 21, RESUMED)) == AppendTick(4)


def test_an_owner_that_lags_names_the_window_after_its_own_last_tick() -> None:
    pacer = _resumed()
    assert pacer.due(1000, Seen(3, 11, RESUMED)) == AppendTick(3)
    pacer.appended(1000, 20)
    assert pacer.due(2000, Seen(3, 15, RESUMED)) == AppendTick(4)
    pacer.appended(2000, 30)
    assert pacer.due(3000, Seen(3, 30, RESUMED)) == AppendTick(5)


def test_never_are_two_records_of_one_partition_under_way() -> None:
    pacer = _resumed()
    assert pacer.due(1000, Seen(3, 11, RESUMED)) == AppendTick(3)
    assert pacer.due(90_000, Seen(3, 11, RESUMED)) is None


def test_a_tick_that_could_not_be_appended_is_named_the_same_when_it_is_due_again() -> None:
    pacer = _resumed()
    assert pacer.due(1000, Seen(3, 11, RESUMED)) == AppendTick(3)
    pacer.failed(60_000)
    assert pacer.due(60_000, Seen(3, 11, RESUMED)) is None
    assert pacer.due(60_000 + WINDOW_MS, Seen(3, 11, RESUMED)) == AppendTick(3)


def test_a_resumed_that_could_not_be_appended_is_due_again_before_any_tick() -> None:
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(0, Seen(0, 0, RESUMED)) == AppendResumed()
    pacer.failed(0)
    assert pacer.due(WINDOW_MS, Seen(0, 50, RESUMED)) == AppendResumed()


def test_an_owner_names_its_trust_bundle_before_anything_else_and_again_when_it_changes() -> None:
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(0, Seen(5, 100, RESUMED, named="one"), "one") == AppendTrusted("one")
    pacer.appended(0, 101)
    assert pacer.due(0, Seen(5, 100, RESUMED, named="one"), "one") == AppendResumed()
    pacer.appended(0, 102)
    assert pacer.due(WINDOW_MS, Seen(5, 103, RESUMED, named="two"), "two") == AppendTrusted("two")
    pacer.appended(WINDOW_MS, 103)
    assert pacer.due(WINDOW_MS, Seen(5, 103, RESUMED, named="two"), "two") == AppendTick(5)


def test_a_bundle_that_could_not_be_named_is_named_when_kafka_takes_records_again() -> None:
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(0, Seen(5, 100, RESUMED, named="one"), "one") == AppendTrusted("one")
    pacer.failed(0)
    assert pacer.due(WINDOW_MS, Seen(5, 100, RESUMED, named="one"), "one") == AppendTrusted("one")


def test_a_takeover_that_did_not_count_is_said_again_before_any_tick() -> None:
    """Signed too long before it stood in the log, say: the window would not be void."""
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(0, Seen(5, 100)) == AppendResumed()
    pacer.appended(0, 101)
    assert pacer.due(WINDOW_MS, Seen(5, 101)) is None
    assert pacer.due(WINDOW_MS, Seen(5, 102)) == AppendResumed()
    pacer.appended(WINDOW_MS, 110)
    assert pacer.due(2 * WINDOW_MS, Seen(5, 111, resumed=110)) == AppendTick(5)
    pacer.appended(2 * WINDOW_MS, 112)
    assert pacer.due(3 * WINDOW_MS, Seen(6, 113)) == AppendTick(6), "it counted once: a roll made anew need not know"


def test_a_bundle_is_named_again_where_somebody_named_another_and_not_more_than_once_a_window() -> None:
    pacer = Pacer(WINDOW_MS)
    assert pacer.due(0, Seen(5, 0), "one") == AppendTrusted("one")
    pacer.appended(0, 10)
    assert pacer.due(0, Seen(5, 10, named="other"), "one") == AppendResumed(), "its own was not folded yet"
    pacer.appended(0, 11)
    seen = Seen(5, 20, resumed=11, named="other")
    assert pacer.due(WINDOW_MS, seen, "one") == AppendTrusted("one")
    pacer.appended(WINDOW_MS, 20)
    seen = seen._replace(position=21)
    assert pacer.due(WINDOW_MS, seen, "one") == AppendTick(5), "time passes all the same"
    pacer.appended(WINDOW_MS, 21)
    assert pacer.due(2 * WINDOW_MS, seen, "one") == AppendTrusted("one")
    pacer.appended(2 * WINDOW_MS, 22)
    assert pacer.due(2 * WINDOW_MS, seen._replace(named="one"), "one") == AppendTick(6)
