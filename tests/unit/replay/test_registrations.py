"""What the sink writes agrees with the replay that the processor's states come from."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from schemas.registrations import RefusalReason, Refused
from services.processor.core.rules import Rules
from services.replay.chunks import Chunk
from services.replay.comparing import Found, Kind, Witness, compare
from services.replay.refold import Refold
from services.replay.registrations import Registrations, registration_view, registrations
from services.sink.core.objects import Group, War
from services.sink.core.snapshot import snapshot
from services.sink.core.war import Context, manifest, wanted_status, with_status
from tests.support.logs import Log, key

GROUP = Group.of({"metadata": {"namespace": "bookinfo", "name": "ratings", "uid": "u-1", "resourceVersion": "7"}})
RULES = Rules(window_ms=1000, missed_windows=1, grace_windows=2)


def a_log() -> Log:
    log = Log()
    log.connect(1)
    log.connect(2)
    log.tick()
    log.heartbeat(1)
    log.tick()
    return log


def refolded(log: Log, end: int | None = None) -> Refold:
    refold = Refold(RULES)
    list(refold.take(Chunk("muster.events", 0, log.records[:end])))
    return refold


def written(log: Log, end: int | None = None) -> list[dict[str, Any]]:
    """Return what the sink writes of the log up to there."""
    wars = []
    for number, state in enumerate(refolded(log, end).states().values()):
        made = manifest(state, GROUP)
        made["metadata"] |= {"uid": f"w-{number}", "resourceVersion": "9", "generation": 1}
        war = War.of(made)
        told = wanted_status(state, war, snapshot(GROUP), Context(GROUP), datetime(2026, 11, 23, tzinfo=UTC))
        wars.append(with_status(war, told))
    return wars


def compared(log: Log, found: Registrations, answers: dict[bytes, Any] | None = None) -> list[Found]:
    view = registration_view(found, answers or {})
    witness, refold = Witness((view,)), Refold(RULES)
    for happening in refold.take(Chunk("muster.events", 0, log.records)):
        witness.take(happening)
    return list(compare(refold, witness, view))


def kinds(found: list[Found]) -> Counter[Kind]:
    return Counter(one.kind for one in found)


def test_what_the_sink_writes_agrees() -> None:
    assert kinds(compared(a_log(), registrations(written(a_log())))) == {Kind.AGREES: 2}


def test_a_sink_that_is_late_is_behind_and_not_different() -> None:
    found = compared(a_log(), registrations(written(a_log(), 3)))
    assert kinds(found) == {Kind.AGREES: 1, Kind.BEHIND: 1}
    (behind,) = [one for one in found if one.kind is Kind.BEHIND]
    assert "AgentConnected.status: replayed 'False', live 'True'" in behind.words


def test_a_forged_condition_and_registration_are_different_field_by_field() -> None:
    wars = written(a_log())
    wars[0]["status"]["conditions"][0]["status"] = "False"
    wars[0]["spec"]["registration"]["agent"]["version"] = "v9"
    (found,) = [one for one in compared(a_log(), registrations(wars)) if one.kind is Kind.DIFFERENT]
    assert found.words == (
        "AgentConnected.status: replayed 'True', live 'False'",
        "spec.registration.agent.version: replayed 'v1.0.0', live 'v9'",
    )


def test_a_workload_that_was_refused_is_rightly_not_there_and_another_is_behind() -> None:
    log = Log()
    log.connect(1)
    log.connect(2)
    session = refolded(log).states()[key(1)].session
    refused = Refused(session=session, reason=RefusalReason.GROUP_NOT_FOUND, message="no group")
    found = compared(log, registrations([]), {key(1): refused})
    assert kinds(found) == {Kind.AGREES: 1, Kind.BEHIND: 1}


def test_a_workload_that_went_before_it_was_registered_is_rightly_not_there() -> None:
    log = a_log()
    assert {one.key: one.kind for one in compared(log, registrations([]))}[key(2)] is Kind.AGREES


def test_a_war_of_nobody_the_log_knows_is_different_and_one_without_status_is_named() -> None:
    wars = written(a_log())
    stranger = {**wars[0], "metadata": {**wars[0]["metadata"], "name": "ratings-nobody"}}
    odd = {"metadata": {"namespace": "bookinfo", "name": "odd"}}
    found = registrations([*wars, stranger, odd])
    assert found.unreadable == ["bookinfo/odd"]
    assert kinds(compared(a_log(), found)) == {Kind.AGREES: 2, Kind.DIFFERENT: 1}
