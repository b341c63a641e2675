"""What STS said of one session counts for that session, and for those which the same machine goes on with."""

import base64
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.credentials import StsRequest
from schemas.events import RoleChecked
from schemas.names import CONTROL_KEY
from services.processor.core.record import CheckRole, Effect, Emit, Record, Store
from services.processor.core.roll import Roll
from services.processor.core.rules import Rules
from tests.support.logs import Log, introduction, key, session
from tests.support.proofs import OWNER, ProvenSession, credential, mint, trust, trusted

RULES = Rules(window_ms=1000, missed_windows=2, grace_windows=2, forget_windows=2)
ASKED = StsRequest(url="https://sts.us-east-2.amazonaws.com/")


def machine(number: int, before: ProvenSession | None = None, *, claims: bool = True) -> ProvenSession:
    """Return a session of workload 1 that claims a role."""
    shown = credential(introduction(1).identity).model_copy(update={"iam_role": ASKED if claims else None})
    return ProvenSession(introduction(1), session(number), before, shown)


@dataclass
class Story:
    """A log, folded as it grows."""

    # Now: the mint's certificate was made a moment ago.
    log: Log = field(default_factory=lambda: Log(now=int(time.time() * 1000)))
    roll: Roll = field(default_factory=lambda: Roll(0, RULES, trust=trust()))
    effects: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.says(CONTROL_KEY, trusted())

    def says(self, raw_key: bytes, event: Any) -> int:  # noqa: ANN401 - any message
        self.log.append(raw_key, event.to_json())
        return self.fold()

    def fold(self) -> int:
        record = self.log.records[-1]
        self.effects += self.roll.fold(Record(*record))
        return record.offset

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.log.tick()
            self.fold()

    def checked(self, of: ProvenSession, asked: int | None, **more: Any) -> RoleChecked:  # noqa: ANN401
        """Return what a processor says of a role."""
        told = RoleChecked(
            workload=key(1).decode(), session=of.session, account="123456789012", asked=asked, owner=OWNER
        ).model_copy(update={"role": "ratings", **more})
        signature = base64.b64encode(mint().processor.sign(told.statement(0))).decode()
        return told.model_copy(update={"signature": signature})

    @property
    def role(self) -> str | None:
        aws = self.roll.rows[key(1)].introduction().identity.aws
        assert aws is not None
        assert aws.ec2 is not None
        return aws.ec2.iam_role

    def asked(self) -> list[tuple[str, int]]:
        return [(one.session, one.asked) for one in self.effects if isinstance(one, CheckRole)]


def test_a_role_is_asked_for_and_taken() -> None:
    story, first = Story(), machine(1)
    began = story.says(key(1), first.connect())
    assert story.asked() == [(first.session, began)]
    story.says(CONTROL_KEY, story.checked(first, began))
    assert story.role == "ratings"


@pytest.mark.parametrize("form", ["as it was", "older"])
def test_what_was_said_of_a_forgotten_session_says_nothing_of_another_of_its_name(form: str) -> None:
    """A copied document may begin a session under an old name: what STS said then was of another machine."""
    story, first = Story(), machine(1)
    began = story.says(key(1), first.connect())
    said = story.checked(first, began if form == "as it was" else None)
    story.says(CONTROL_KEY, said)
    story.ticks(10)
    assert key(1) not in story.roll.rows
    story.says(key(1), machine(1).connect())
    story.says(CONTROL_KEY, said)
    assert story.role is None


def test_an_answer_that_was_overtaken_by_another_changes_nothing_when_it_is_written_again() -> None:
    """Denied once, confirmed later: whoever writes the denial again takes no role away."""
    story, first = Story(), machine(1)
    denied = story.checked(first, story.says(key(1), first.connect()), role=None)
    story.says(CONTROL_KEY, denied)
    again = story.says(key(1), first.heartbeat(introduces=True))
    story.says(CONTROL_KEY, story.checked(first, again))
    story.says(CONTROL_KEY, denied)
    assert story.role == "ratings"


def test_what_was_said_in_another_partition_says_nothing() -> None:
    story, first = Story(), machine(1)
    began = story.says(key(1), first.connect())
    told = story.checked(first, began)
    elsewhere = base64.b64encode(mint().processor.sign(told.statement(1))).decode()
    story.says(CONTROL_KEY, told.model_copy(update={"signature": elsewhere}))
    assert story.role is None


def with_role() -> tuple[Story, ProvenSession]:
    story, first = Story(), machine(1)
    story.says(CONTROL_KEY, story.checked(first, story.says(key(1), first.connect())))
    return story, first


def test_the_same_machine_has_its_role_after_a_restart_and_sts_is_asked_again() -> None:
    story, first = with_role()
    second = machine(2, first)
    began = story.says(key(1), second.connect())
    assert story.role == "ratings"
    assert story.asked()[-1] == (second.session, began)
    told = [one for one in story.effects if isinstance(one, Emit)]
    story.says(CONTROL_KEY, story.checked(second, began))
    assert (story.role, story.roll.rows[key(1)].inherited) == ("ratings", False)
    assert [one for one in story.effects if isinstance(one, Emit)] == told, "nothing to tell: it is as it was"
    story.says(key(1), second.heartbeat(introduces=True))
    assert len(story.asked()) == 2, "it is confirmed, and not asked for again"


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (lambda _first: machine(2), "another machine, or one that lost its state file"),
        (lambda first: machine(2, first, claims=False), "it does not claim one any more"),
    ],
)
def test_nobody_else_has_it(of: Any, why: str) -> None:  # noqa: ANN401
    story, first = with_role()
    story.says(key(1), first.goodbye())
    story.says(key(1), of(first).connect())
    assert story.role is None, why


def test_who_was_removed_joins_without_a_role() -> None:
    story, first = with_role()
    story.ticks(6)
    assert story.roll.rows[key(1)].closed
    story.says(key(1), machine(2, first).connect())
    assert story.role is None


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ({"role": None}, None),
        ({"role": None, "answered": False}, "ratings"),
        ({"role": "web"}, "web"),
        ({"account": "999999999999"}, None),
    ],
    ids=["denied", "nobody could ask", "another role", "a role of another account"],
)
def test_what_sts_says_then_holds_and_its_silence_changes_nothing(said: dict[str, Any], left: str | None) -> None:
    story, first = with_role()
    second = machine(2, first)
    began = story.says(key(1), second.connect())
    story.says(CONTROL_KEY, story.checked(second, began, **said))
    assert story.role == left
    story.says(key(1), second.heartbeat(introduces=True))
    asked_again = left is None or said.get("answered") is False
    assert len(story.asked()) == 2 + asked_again


def test_a_new_owner_knows_that_a_role_was_confirmed() -> None:
    story, first = with_role()
    second = machine(2, first)
    began = story.says(key(1), second.connect())
    story.says(CONTROL_KEY, story.checked(second, began))
    rows = {one.key: one.row for one in story.effects if isinstance(one, Store) and one.row is not None}
    heir = Roll.restore(0, RULES, rows.items(), trust=trust())
    for record in story.log.records[heir.resume :]:
        heir.fold(record)
    assert heir.rows == story.roll.rows
