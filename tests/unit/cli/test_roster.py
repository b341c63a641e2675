from datetime import UTC, datetime, timedelta

import pytest

from schemas.events import AgentSoftware, Introduction, Registration
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from schemas.workloads import Presence, Reason, Workload
from services.cli.roster import Entry, Roster, cells, matching

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIRST, SECOND = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2))


def _state(
    revision: int,
    presence: Presence = Presence.CONNECTED,
    *,
    group: str = "ratings",
    namespace: str = "bookinfo",
    session: str = FIRST,
    since: datetime = NOON,
) -> Workload:
    ec2 = Ec2Instance(instance_id="i-1234567890abcdef0")
    aws = AwsIdentity(partition="aws", account="123456789012", region="us-east-2", zone="us-east-2b", ec2=ec2)
    return Workload(
        workload=Introduction(
            namespace=namespace,
            group=group,
            identity=Identity(aws=aws),
            registration=Registration(agent=AgentSoftware(version="1")),
        ),
        session=session,
        presence=presence,
        reason=Reason.ESTABLISHED,
        since=since,
        partition=3,
        revision=revision,
        window=1,
    )


def _take(roster: Roster, state: Workload) -> Entry | None:
    return roster.take(state.workload.key.to_bytes(), state.to_json())


@pytest.mark.parametrize(
    ("presence", "expected"),
    [(Presence.CONNECTED, "True"), (Presence.ABSENT, "False"), (Presence.UNKNOWN, "Unknown")],
)
def test_a_row_has_kubectls_columns(presence: Presence, expected: str) -> None:
    roster = Roster()
    _take(roster, _state(1, presence))
    rows = [cells(entry, NOON + timedelta(seconds=90)) for entry in roster.present()]
    name = "ratings-aws-aws-123456789012-us-east-2b-ec2-i-1234567890abcdef0"
    assert rows == [("bookinfo", name, expected, "90s")]


def test_a_wide_row_says_why_since_when_and_by_which_record() -> None:
    roster = Roster()
    _take(roster, _state(7))
    [entry] = roster.present()
    wide = cells(entry, NOON, wide=True)[4:]
    assert wide == ("ratings", "AgentEstablishedConnection", "2026-11-23T12:00:00.000Z", FIRST, "3", "7")


def test_an_older_revision_changes_nothing() -> None:
    roster = Roster()
    _take(roster, _state(9, Presence.ABSENT))
    assert _take(roster, _state(8)) is None
    assert _take(roster, _state(9)) is None
    assert [entry.state.presence for entry in roster.present()] == [Presence.ABSENT]


def test_a_removed_workload_is_not_shown_but_its_end_is_told() -> None:
    roster = Roster()
    _take(roster, _state(1))
    last = _take(roster, _state(2, Presence.REMOVED))
    assert last is not None
    assert cells(last, NOON)[2] == "False"
    assert roster.present() == []


def test_a_tombstone_forgets() -> None:
    roster = Roster()
    state = _state(1)
    _take(roster, state)
    assert roster.take(state.workload.key.to_bytes(), None) is None
    assert roster.present() == []


def test_age_counts_from_the_first_record_of_the_session() -> None:
    roster = Roster()
    _take(roster, _state(1))
    _take(roster, _state(2, Presence.ABSENT, since=NOON + timedelta(minutes=1)))
    assert [entry.joined for entry in roster.present()] == [NOON]


def test_a_new_session_begins_a_new_age() -> None:
    roster = Roster()
    later = NOON + timedelta(minutes=1)
    _take(roster, _state(1))
    _take(roster, _state(2, session=SECOND, since=later))
    assert [entry.joined for entry in roster.present()] == [later]


def test_a_record_that_is_no_state_is_counted_and_passed() -> None:
    roster = Roster()
    assert roster.take(b"a/b/c", b"{") is None
    assert roster.unreadable == 1
    assert roster.present() == []


def test_workloads_are_sorted_and_selected_by_namespace_and_either_name() -> None:
    roster = Roster()
    for namespace, group in (("b", "x"), ("a", "z"), ("a", "y")):
        _take(roster, _state(1, namespace=namespace, group=group))
    entries = roster.present()
    assert [(one.key.namespace, one.key.group) for one in entries] == [("a", "y"), ("a", "z"), ("b", "x")]
    assert matching(entries, "a", None) == entries[:2]
    assert matching(entries, None, entries[2].key.war_name) == entries[2:]
    assert matching(entries, None, entries[0].key.identity) == entries
