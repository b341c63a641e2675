"""Istio's health of an entry: which write takes or gives its traffic, and whose word counts where istiod writes too."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.workloads import Presence
from services.sink.core import health
from services.sink.core.actions import UpdateEntry, UpdateEntryStatus
from services.sink.core.health import CHECKED, gets_traffic
from services.sink.core.objects import Entry, Manifest
from tests.support.registry import joiner, workload

SINCE = datetime(2026, 11, 23, tzinfo=UTC)
ISTIOS = {"type": "Healthy", "lastProbeTime": "2026-11-23T00:00:00Z"}
WELL, SICK = {**ISTIOS, "status": "True"}, {**ISTIOS, "status": "False"}
TAKEN = {"type": "Healthy", "status": "False", "reason": "AgentNotConnected"}
GONE = (Presence.ABSENT, Presence.REMOVED)
THERE = (Presence.CONNECTED, Presence.UNKNOWN)


def made(*conditions: dict[str, Any], checked: str | None = None) -> Manifest:
    """Return an entry with these conditions, and the annotation where it has one."""
    annotations = {"team": "ratings", **({} if checked is None else {CHECKED: checked})}
    about = {"namespace": "bookinfo", "name": "ratings-x", "resourceVersion": "1", "annotations": annotations}
    status = {"status": {"observedGeneration": 1, "conditions": list(conditions)}} if conditions else {}
    return {"metadata": about, "spec": {"address": "172.31.5.254"}, **status}


def settled(entry: Manifest, presence: Presence) -> list[Manifest]:
    """Return what an entry becomes, write by write, until nothing is left to do."""
    became: list[Manifest] = []
    while (write := health.of_workload(Entry.of(entry), workload(joiner(1), presence))) is not None:
        assert len(became) < 3, "it never ends"
        # A write of the status writes nothing else, and the other way round.
        part = "status" if isinstance(write, UpdateEntryStatus) else "metadata"
        assert {**entry, part: write.manifest.get(part)} == write.manifest
        entry = write.manifest
        became.append(entry)
    return became


def said(entry: Manifest) -> dict[str, Any]:
    [condition] = [one for one in entry["status"]["conditions"] if one["type"] == "Healthy"]
    return dict(condition)


@pytest.mark.parametrize(
    ("entry", "traffic"),
    [
        (made(), True),
        (made(SICK), True),
        (made(checked="false"), True),
        (made(SICK, checked="false"), True),
        (made(SICK, checked="no"), True),
        (made(checked="true"), False),
        (made(checked="1"), False),
        (made(SICK, checked="true"), False),
        (made({**ISTIOS, "status": "Unknown"}, checked="true"), False),
        (made(WELL, checked="true"), True),
        ({"metadata": {"name": "bare"}}, True),
    ],
)
def test_istiod_takes_an_entry_for_sick_that_has_the_annotation_and_does_not_say_it_is_well(
    entry: Manifest, *, traffic: bool
) -> None:
    assert gets_traffic(entry) is traffic


@pytest.mark.parametrize("presence", THERE)
def test_a_new_endpoint_gets_traffic_without_a_further_write(presence: Presence) -> None:
    assert settled(made(), presence) == []


@pytest.mark.parametrize("presence", GONE)
def test_one_write_takes_the_traffic_away_and_one_gives_it_back_and_what_others_wrote_stays(presence: Presence) -> None:
    other = {"type": "Reconciled", "status": "True"}
    for entry in (made(), made(other)):
        [taken] = settled(entry, presence)
        assert not gets_traffic(taken)
        assert taken["metadata"]["annotations"] == {"team": "ratings", CHECKED: "true"}
        [back] = settled(taken, Presence.CONNECTED)
        assert gets_traffic(back)
        assert said(back) == {
            "type": "Healthy",
            "status": "True",
            "reason": "AgentConnected",
            "message": "",
            "lastTransitionTime": "2026-11-23T00:00:10.000Z",
        }
        assert (other in back["status"]["conditions"]) is ("status" in entry)
        [again] = settled(back, presence)
        assert (said(again)["status"], said(again)["reason"]) == ("False", "AgentNotConnected")
        [returned] = settled(again, Presence.CONNECTED)
        assert returned == back


@pytest.mark.parametrize("conditions", [(), (TAKEN,), (WELL,), (SICK,)])
@pytest.mark.parametrize("checked", [None, "true", "false"])
@pytest.mark.parametrize("presence", Presence)
def test_from_wherever_it_starts_it_ends_in_what_the_presence_says(
    presence: Presence, checked: str | None, conditions: tuple[dict[str, Any], ...]
) -> None:
    """But for a group that opted out, and what istiod's own probe finds sick."""
    entry = made(*conditions, checked=checked)
    became = [entry, *settled(entry, presence)]
    opted_out, probed_sick = checked == "false", checked == "true" and conditions == (SICK,)
    assert gets_traffic(became[-1]) is (opted_out or (presence in THERE and not probed_sick))
    traffic = [gets_traffic(one) for one in became]
    assert traffic in (sorted(traffic), sorted(traffic, reverse=True)), "it is given or taken once"


def test_while_nobody_can_tell_an_endpoint_of_which_something_is_said_stays_what_it_is() -> None:
    for entry in (made(WELL, checked="true"), made(SICK, checked="true")):
        assert settled(entry, Presence.UNKNOWN) == []


def test_what_istiods_probe_found_well_is_taken_from_an_absent_agent_and_given_back() -> None:
    assert settled(made(WELL, checked="true"), Presence.CONNECTED) == []
    [taken] = settled(made(WELL, checked="true"), Presence.ABSENT)
    assert said(taken)["status"] == "False"
    [back] = settled(taken, Presence.CONNECTED)
    assert gets_traffic(back)


def test_a_group_that_opted_out_costs_no_write() -> None:
    for presence in Presence:
        assert settled(made(checked="false"), presence) == []


@pytest.mark.parametrize("entry", [made(checked="true"), made(TAKEN, checked="true")])
def test_an_entry_that_was_brought_back_is_healthy(entry: Manifest) -> None:
    written = health.of_restored(Entry.of(entry), "ann", SINCE)
    assert written is not None
    assert gets_traffic(written.manifest)
    assert said(written.manifest)["message"] == "brought back by ann"
    assert health.of_restored(Entry.of(written.manifest), "ann", SINCE) is None


def test_an_entry_that_was_brought_back_stays_as_istiod_has_it() -> None:
    for entry in (made(), made(SICK, checked="true"), made(WELL, checked="true"), made(TAKEN)):
        assert health.of_restored(Entry.of(entry), "ann", SINCE) is None


def test_the_writes_are_of_the_entry_or_of_its_status() -> None:
    absent = workload(joiner(1), Presence.ABSENT)
    assert isinstance(health.of_workload(Entry.of(made()), absent), UpdateEntry)
    assert isinstance(health.of_workload(Entry.of(made(WELL)), absent), UpdateEntryStatus)
