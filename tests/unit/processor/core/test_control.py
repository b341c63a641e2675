"""Whose word counts in the log: what a processor's or an operator's key signed, once, where the bundle demands it."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.events import Control, Override, OverrideAction, Resumed, RoleChecked, Tick, Trusted
from schemas.names import CONTROL_KEY
from services.identity.core.bundle import TrustBundle
from services.identity.given import GivenBundles, UnknownBundleError
from services.identity.signing import Signer
from services.processor.core.control import LATE_WINDOWS
from services.processor.core.record import Effect, Ignored, Record, Reject, Rule, Store
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from services.processor.core.trust import NoTrustError, Trust
from tests.support.logs import OWNER, Log, key

OURS, ANNS, ELSES = (Signer(Ed25519PrivateKey.generate()) for _ in range(3))
DEMANDS = TrustBundle(processors=(OURS.public,), operators=(ANNS.public,), signed_control=True)
LETS = TrustBundle(processors=(OURS.public,))
RULES = Rules(window_ms=1000, missed_windows=2, grace_windows=2)


class AtHand(GivenBundles):
    """Bundles of a living processor: one that is not at hand is no reason to end."""

    def keys(self, bundle: str) -> Any:  # noqa: ANN401 - keys or None
        return super().keys(bundle) if bundle in self._bundles else None


@dataclass
class Story:
    """A log, folded as it grows; signed unless it is said otherwise."""

    trust: Trust = field(default_factory=lambda: AtHand([DEMANDS, LETS]))
    log: Log = field(default_factory=lambda: Log(now=int(time.time() * 1000)))
    effects: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.roll = Roll(0, RULES, trust=self.trust)

    def says(self, event: Control, by: Signer | None = OURS, partition: int = 0) -> list[Effect]:
        """Append a record, signed by somebody for a partition; return what it brought about."""
        if not isinstance(event, Tick | RoleChecked) and by is not None and event.after is None:  # type: ignore[attr-defined]
            event = event.model_copy(update={"after": len(self.log.records)})
        self.log.append(CONTROL_KEY, (by.signed(event, partition) if by is not None else event).to_json())
        return self.fold()

    def fold(self) -> list[Effect]:
        self.effects = list(self.roll.fold(Record(*self.log.records[-1])))
        return self.effects

    def begins(self, bundle: TrustBundle = DEMANDS) -> "Story":
        self.says(trusted(bundle))
        self.tick()
        return self

    def tick(self, by: Signer | None = OURS) -> list[Effect]:
        self.log.now += 1000
        return self.says(Tick(window=self.roll.window, owner=OWNER), by)

    def again(self, offset: int) -> list[Effect]:
        """Append a record that stands in the log once more."""
        self.log.now += 1000
        self.log.append(CONTROL_KEY, self.log.records[offset].value)
        return self.fold()


def trusted(bundle: TrustBundle) -> Trusted:
    return Trusted(bundle=bundle.digest, owner=OWNER)


def rejected(effects: list[Effect]) -> list[str]:
    return [one.reason for one in effects if isinstance(one, Reject)]


RELEASE = Override(action=OverrideAction.RELEASE_BRAKE, who="ann", why="so")
HOLD = Override(action=OverrideAction.HOLD_REMOVALS, who="ann", why="so")
ROLE = RoleChecked(workload="a/b/c", session=OWNER, role="web", asked=0, owner=OWNER)
SAID: dict[str, Control] = {
    "tick": Tick(window=1, owner=OWNER),
    "resumed": Resumed(owner=OWNER),
    "trusted": trusted(LETS),
    "role": ROLE,
    "release": RELEASE,
    "hold": HOLD,
}


@pytest.mark.parametrize("by", [None, ELSES], ids=["nobody", "somebody"])
@pytest.mark.parametrize("what", SAID)
def test_what_no_key_of_the_bundle_signed_is_rejected_and_changes_nothing(what: str, by: Signer | None) -> None:
    story = Story().begins()
    story.log.now += 1000
    assert rejected(story.says(SAID[what], by)) == ["ForgedControl"]
    roll = story.roll
    assert (roll.window, roll.void, roll.trusted, roll.held) == (1, False, DEMANDS.digest, {})


def test_what_was_altered_or_signed_for_another_partition_is_rejected() -> None:
    story = Story().begins()
    assert rejected(story.says(Resumed(owner=OWNER), partition=1)) == ["ForgedControl"]
    told = ANNS.signed(HOLD.model_copy(update={"after": 2}), 0)
    for changed in ({"who": "bob"}, {"scope": "a/b"}, {"after": 3}, {"action": OverrideAction.RESUME_REMOVALS}):
        assert rejected(story.says(told.model_copy(update=changed), None)) == ["ForgedControl"]


def test_an_order_is_an_operators_to_give_and_time_is_not_his() -> None:
    story = Story().begins()
    assert rejected(story.says(HOLD, OURS)) == ["ForgedControl"]
    assert rejected(story.tick(ANNS)) == ["ForgedControl"]
    assert rejected(story.says(HOLD, ANNS)) == []
    assert set(story.roll.held) == {"*"}


def test_where_no_operators_are_listed_the_processors_key_gives_orders() -> None:
    alone = TrustBundle(processors=(OURS.public,), signed_control=True)
    story = Story(AtHand([alone])).begins(alone)
    assert rejected(story.says(HOLD, OURS)) == []
    assert set(story.roll.held) == {"*"}


@pytest.mark.parametrize("bundle", [LETS, TrustBundle()], ids=["it does not ask", "no keys"])
def test_where_the_bundle_does_not_demand_it_everybody_is_believed(bundle: TrustBundle) -> None:
    story = Story(AtHand([bundle]))
    story.says(trusted(bundle), None)
    story.tick(None)
    story.says(HOLD, None)
    assert (story.roll.window, set(story.roll.held)) == (1, {"*"})


def test_a_dead_machine_is_missed_though_somebody_voids_every_window() -> None:
    story = Story().begins()
    story.log.connect(1)
    story.roll.trusted = None  # who proves what is told elsewhere
    story.fold()
    for _ in range(RULES.missed_windows + 1):
        story.says(Resumed(owner=OWNER), None)
        story.tick()
    assert story.roll.rows[key(1)].presence == "absent"


@pytest.mark.parametrize("windows", [0, 1, LATE_WINDOWS - 1, LATE_WINDOWS, LATE_WINDOWS + 5])
@pytest.mark.parametrize("what", [Resumed(owner=OWNER), trusted(DEMANDS), HOLD], ids=["resumed", "trusted", "hold"])
def test_a_copy_never_counts_however_soon_or_late(what: Control, windows: int) -> None:
    story = Story().begins()
    offset = len(story.log.records)
    story.says(what, ANNS if isinstance(what, Override) else OURS)
    story.says(Override(action=OverrideAction.RESUME_REMOVALS, who="ann", why="done"), ANNS)
    story.tick()
    for _ in range(windows):
        story.tick()
    assert story.again(offset) == [Ignored(Rule.STALE_CONTROL)]
    assert (story.roll.void, story.roll.held) == (False, {})


def test_a_slow_writer_is_heard_for_some_windows_and_then_not() -> None:
    for passed, heard in ((LATE_WINDOWS - 1, True), (LATE_WINDOWS, False)):
        story = Story().begins()
        after = len(story.log.records)
        for _ in range(passed):
            story.tick()
        story.says(Resumed(owner=OWNER, after=after))
        assert story.roll.void is heard


def test_who_claims_to_have_seen_more_than_there_is_is_rejected() -> None:
    story = Story().begins()
    assert rejected(story.says(Resumed(owner=OWNER, after=99))) == ["ForgedControl"]


def test_what_is_remembered_is_forgotten_once_no_copy_of_it_could_count() -> None:
    story = Story().begins()
    for _ in range(3):
        story.says(Resumed(owner=OWNER))
    assert len(story.roll.obeyed) == 4
    for _ in range(LATE_WINDOWS):
        story.tick()
    assert story.roll.state.obeyed == {}


def test_a_new_owner_knows_a_copy_too() -> None:
    story = Story().begins()
    stored: dict[bytes, bytes | None] = {}
    story.says(Resumed(owner=OWNER))
    roll = Roll(0, RULES, trust=story.trust)
    story.tick()
    for record in story.log.records:
        stored |= {one.key: one.row for one in roll.fold(Record(*record)) if isinstance(one, Store)}
    story.roll = Roll.restore(0, RULES, [(k, row) for k, row in stored.items() if row], trust=story.trust)
    assert story.again(2) == [Ignored(Rule.STALE_CONTROL)]
    assert story.roll.keys == DEMANDS.keys


def test_a_bundle_is_named_by_whom_the_one_in_force_believes() -> None:
    """The new one may believe others: who has only its keys does not bring it into force."""
    new = TrustBundle(processors=(ELSES.public,), signed_control=True)
    story = Story(AtHand([DEMANDS, new])).begins()
    assert rejected(story.says(trusted(new), ELSES)) == ["ForgedControl"]
    assert rejected(story.says(trusted(new), OURS)) == []
    assert story.roll.keys == new.keys
    assert rejected(story.tick(OURS)) == ["ForgedControl"]


def test_the_first_bundle_that_demands_signatures_is_named_by_whom_it_believes() -> None:
    for begins in (Story(), Story().begins(LETS)):
        assert rejected(begins.says(trusted(DEMANDS), ELSES)) == ["ForgedControl"]
        assert rejected(begins.says(trusted(DEMANDS), OURS)) == []


def test_a_bundle_that_is_not_at_hand_does_not_come_into_force_and_a_replay_asks_for_it() -> None:
    story = Story().begins()
    assert rejected(story.says(Trusted(bundle="sha256:another", owner=OWNER))) == ["UnknownBundle"]
    assert (story.roll.trusted, story.roll.named) == (DEMANDS.digest, "sha256:another")
    replay = Story(GivenBundles([DEMANDS])).begins()
    with pytest.raises(UnknownBundleError):
        replay.says(Trusted(bundle="sha256:another", owner=OWNER))
    assert rejected(replay.says(Trusted(bundle="sha256:garbage", owner=OWNER), ELSES)) == ["ForgedControl"]


def test_signed_records_are_not_judged_without_a_bundle() -> None:
    story = Story()
    story.roll = Roll(0, RULES)
    with pytest.raises(NoTrustError):
        story.says(trusted(DEMANDS))
