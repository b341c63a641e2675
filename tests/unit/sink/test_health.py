"""Istio's health of an entry: whose word counts where the sink and istiod both write the condition."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.workloads import Presence
from services.sink.core import health
from services.sink.core.objects import Entry
from tests.support.registry import joiner, workload

SINCE = datetime(2026, 11, 23, tzinfo=UTC)
ISTIOS = {"type": "Healthy", "lastProbeTime": "2026-11-23T00:00:00Z"}


def entry(*conditions: dict[str, Any]) -> Entry:
    """Return an entry with these conditions."""
    manifest = {
        "metadata": {"namespace": "bookinfo", "name": "ratings-x", "resourceVersion": "1"},
        "status": {"observedGeneration": 1, "conditions": list(conditions)},
    }
    return Entry.of(manifest)


def marked(presence: Presence, *conditions: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the conditions that are written, or None where nothing is."""
    written = health.of_workload(entry(*conditions), workload(joiner(1), presence))
    return None if written is None else written["status"]["conditions"]


def ours(presence: Presence) -> dict[str, Any]:
    """Return the condition the sink writes of this presence."""
    written = marked(presence)
    assert written is not None
    return written[0]


def test_the_condition_says_what_istiod_reads_and_since_when_the_log_knows_it() -> None:
    assert ours(Presence.ABSENT) == {
        "type": "Healthy",
        "status": "False",
        "reason": "AgentNotConnected",
        "message": "",
        "lastTransitionTime": "2026-11-23T00:00:10.000Z",
    }
    assert ours(Presence.CONNECTED)["status"] == "True"


@pytest.mark.parametrize("presence", [Presence.CONNECTED, Presence.ABSENT, Presence.REMOVED])
def test_what_is_written_is_not_written_again(presence: Presence) -> None:
    assert marked(presence, ours(presence)) is None


def test_conditions_of_others_and_the_rest_of_the_status_stay() -> None:
    other = {"type": "Reconciled", "status": "True"}
    written = health.of_workload(entry(other), workload(joiner(1), Presence.ABSENT))
    assert written is not None
    assert written["status"] == {"observedGeneration": 1, "conditions": [other, ours(Presence.ABSENT)]}


def test_while_nobody_can_tell_an_endpoint_stays_what_it_is() -> None:
    assert marked(Presence.UNKNOWN, ours(Presence.CONNECTED)) is None
    assert marked(Presence.UNKNOWN, ours(Presence.ABSENT)) is None


def test_a_new_endpoint_of_which_nobody_can_tell_gets_traffic() -> None:
    assert ours(Presence.UNKNOWN)["status"] == "True"


def test_what_istiods_probe_found_sick_stays_sick_whatever_the_agent_does() -> None:
    sick = {**ISTIOS, "status": "False"}
    assert marked(Presence.CONNECTED, sick) is None
    assert marked(Presence.ABSENT, sick) is None


def test_what_istiods_probe_found_well_is_taken_from_an_absent_agent_and_given_back() -> None:
    assert marked(Presence.CONNECTED, {**ISTIOS, "status": "True"}) is None
    taken = marked(Presence.ABSENT, {**ISTIOS, "status": "True"})
    assert taken == [ours(Presence.ABSENT)]
    assert marked(Presence.CONNECTED, *taken) == [ours(Presence.CONNECTED)]


def test_an_entry_that_was_brought_back_is_healthy_unless_istiod_says_otherwise() -> None:
    written = health.of_restored(entry(ours(Presence.ABSENT)), "ann", SINCE)
    assert written is not None
    (condition,) = written["status"]["conditions"]
    assert (condition["status"], condition["message"]) == ("True", "brought back by ann")
    assert health.of_restored(entry(condition), "ann", SINCE) is None
    assert health.of_restored(entry({**ISTIOS, "status": "False"}), "ann", SINCE) is None
