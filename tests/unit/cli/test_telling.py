import json
from datetime import UTC, datetime

from schemas.actions import Verb
from schemas.message import instant
from schemas.registrations import Ended, EndReason, RefusalReason, Refused, Registered
from schemas.resource import GroupSnapshot
from schemas.topics import ACTIONS, REMOVALS, RESTORES
from services.cli.answers import Answer
from services.cli.story_json import document
from services.cli.telling import Told, headline, lines
from services.processor.core.rules import Rules
from services.replay.core.story import story
from tests.support.logs import START_MS, Log, key, session
from tests.unit.schemas.messages import REMOVAL, RESTORE, WORKLOAD, WRITTEN

RULES = Rules(window_ms=1000, missed_windows=2)
SNAPSHOT = GroupSnapshot(name="ratings", uid="u", generation=1, resource_version="7", spec={})
STORY = """
bookinfo/ratings/aws-aws-123456789012-us-east-2b-ec2-i-00000000000000001
Partition 0 of muster.events, offsets 0–7, 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:24.000Z; window 4 is open
Rules: windows of 1 s, absent after 2 missed, removed after 30 more, forgotten after 8640 more

It is absent since 2023-11-14T22:13:24.000Z, by the tick at offset 6 in window 3: missed windows 2–3: 2 of 2.

TIME                       OFFSET   WINDOW   RECORD       WHAT
2023-11-14T22:13:20.000Z   0        0        connect      session 1 begins (agent v1.0.0) → connected
2023-11-14T22:13:20.005Z                     refused      session 1: WorkloadGroupNotFound: no group ratings
2023-11-14T22:13:20.010Z                     registered   session 1 as bookinfo/ratings-x, uid 0-1
2023-11-14T22:13:21.000Z   1–6      0–3      1 accepted   ▇▇▁▁
2023-11-14T22:13:21.000Z   2        1        resumed      VoidWindow: window 1 is void: 00000000-0000-0000-0000-000000000001 took over
2023-11-14T22:13:24.000Z   6        3        tick         missed windows 2–3: 2 of 2 → absent
2023-11-14T22:13:24.000Z   7        4        heartbeat    ignored by UnknownSession: session 00000000-0000-0000-0000-0000000a0005: the session never introduced itself
2023-11-14T22:13:29.000Z                     ended        session 1, uid 0-1: RegistrationDeleted: somebody deleted it
2023-11-14T22:13:29.500Z                     answer       taken out: the workload is forgotten

SESSION   ID                                     MACHINE        BEGUN                      ENDED
1         00000000-0000-0000-0000-0000000a0000   agent v1.0.0   2023-11-14T22:13:20.000Z   -

▇ heard   ▁ missed
"""  # noqa: E501 - as it is printed


def _log() -> Log:
    log = Log()
    log.connect(1)
    log.tick()
    log.resumed()
    log.heartbeat(1, seq=1)
    log.tick()
    log.tick()
    log.tick()
    log.heartbeat(1, of=5, seq=1)
    return log


def _answers() -> list[Answer]:
    registered = Registered(session=session(0), namespace="bookinfo", name="ratings-x", uid="0-1", snapshot=SNAPSHOT)
    refused = Refused(session=session(0), reason=RefusalReason.GROUP_NOT_FOUND, message="no group ratings")
    ended = Ended(session=session(0), uid="0-1", reason=EndReason.DELETED, message="somebody deleted it")
    return [
        Answer(3, START_MS + 5, refused.to_json()),
        Answer(4, START_MS + 10, registered.to_json()),
        Answer(9, START_MS + 9000, ended.to_json()),
        Answer(10, START_MS + 9500, None),
    ]


def _told(log: Log, first: int = 0, **changed: object) -> Told:
    told = Told(story(log.records[first:], key(1), RULES), [], None, None, None)
    return told._replace(**changed)  # type: ignore[arg-type]


def test_a_story_reads_as_a_table_with_the_sinks_actions_among_it() -> None:
    assert "\n".join(lines(_told(_log(), answers=_answers()))) == STORY.strip()


def test_a_document_has_the_same_in_fields() -> None:
    found = json.loads(json.dumps(document(_told(_log(), answers=_answers()))))
    assert found["presence"] == "absent"
    assert found["why"]["words"] == "missed windows 2–3: 2 of 2"
    assert found["sessions"][0]["id"] == session(0)
    assert [part["kind"] for part in found["story"]] == [
        *("change", "refused", "registered", "stretch", "VoidWindow", "change", "stretch", "Ignored", "ended", "answer")
    ]
    assert found["story"][3]["windows"] == {"first": 0, "last": 3, "picture": "▇▇▁▁"}


def test_what_is_silent_but_still_connected_says_how_near_it_is() -> None:
    log = Log()
    log.connect(1)
    log.tick()
    log.tick()
    assert headline(_told(log)) == (
        "It is connected since 2023-11-14T22:13:20.000Z, by the connect at offset 0 in window 0: session 1 begins "
        "(agent v1.0.0). Missed in succession so far: 1 (absent at 2)."
    )


def test_a_state_in_the_past_is_told_as_past() -> None:
    words = headline(_told(_log(), until=datetime(2023, 11, 14, 22, 14, tzinfo=UTC)))
    assert words.startswith("At 2023-11-14T22:14:00.000Z it was absent since 2023-11-14T22:13:24.000Z, by the tick at")


def test_a_log_without_its_start_says_what_cannot_be_known_and_what_the_topic_of_states_says() -> None:
    state = WORKLOAD.model_copy(update={"since": instant(START_MS)})
    text = "\n".join(lines(_told(_log(), first=1, newest=state)))
    assert "not to be known from the log" in text
    assert "The log begins at offset 1, 2023-11-14T22:13:21.000Z; what was before is gone" in text
    assert (
        f"muster.workloads says connected since 2023-11-14T22:13:20.000Z, by the record at offset {state.revision}"
        in text
    )
    assert "began before the log's start and has not introduced itself since" in text


def test_a_story_that_contradicts_the_processor_says_that_it_cannot_be_trusted() -> None:
    assert "This story cannot be trusted: other rules" in lines(_told(_log(), disagreement="other rules"))


def test_what_was_kept_and_who_had_it_brought_back_is_told() -> None:
    assert Answer(1, START_MS, REMOVAL.to_json(), REMOVALS).words({REMOVAL.session: 2}) == (
        "removal",
        f"session 2: kept bookinfo/{REMOVAL.name}, uid u, as it was: it can be restored",
    )
    assert Answer(1, START_MS, RESTORE.to_json(), RESTORES).words({}) == (
        "restore",
        "of the removal at 3:41, until 2023-11-14T23:13:20.000Z unless its agent speaks, by ada: it is alive",
    )
    assert Answer(1, START_MS, b"{", RESTORES).words({})[0] == "restore"


def test_a_registration_is_told_with_the_resource_version_that_the_sink_made() -> None:
    told = Registered(
        session=session(1), namespace="bookinfo", name="n", uid="0-1", snapshot=SNAPSHOT, resource_version="4711"
    )
    answer = Answer(0, 0, told.to_json())
    assert answer.words({session(1): 1}) == (
        "registered",
        "session 1 as bookinfo/n, uid 0-1, at resourceVersion 4711",
    )


def test_a_write_of_the_sink_stands_at_its_time_with_the_resource_version_it_made() -> None:
    status = Answer(7, START_MS + 4005, WRITTEN.to_json(), ACTIONS)
    told = _told(_log(), answers=[status])
    words = (
        f"status of war bookinfo/{WRITTEN.name}: AgentConnected False (AgentMissedWindows), resourceVersion 4711, "
        "of the state at 3:41"
    )
    row = next(line for line in lines(told) if "status of war" in line)
    assert row.split(maxsplit=2) == ["2023-11-14T22:13:24.005Z", "written", words]
    [part] = [part for part in json.loads(json.dumps(document(told)))["story"] if part["kind"] == "written"]
    assert (part["topic"], part["offset"], part["time"], part["words"]) == (
        *(ACTIONS, 7, "2023-11-14T22:13:24.005Z"),
        words,
    )
    assert part["written"]["resourceVersion"] == "4711"
    assert part["written"]["conditions"] == [
        {"type": "AgentConnected", "status": "False", "reason": "AgentMissedWindows"}
    ]


def test_each_kind_of_write_has_its_words() -> None:
    def words(**changed: object) -> str:
        return (
            Answer(0, 0, WRITTEN.model_copy(update=changed).to_json(), ACTIONS)
            .words({})[1]
            .replace(WRITTEN.name, "NAME")
        )

    assert words(action=Verb.CREATE, kind="WorkloadEntry", conditions=()) == (
        "creation of entry bookinfo/NAME: absent (AgentMissedWindows), resourceVersion 4711, of the state at 3:41"
    )
    assert words(action=Verb.DELETE, conditions=()) == (
        "deletion of war bookinfo/NAME: absent (AgentMissedWindows), at resourceVersion 4711, of the state at 3:41"
    )
    refused = {"kind": "OnboardingAttempt", "presence": None, "reason": "NotAllowedByPolicy", "conditions": ()}
    assert words(action=Verb.UPDATE, **refused) == (
        "update of oa bookinfo/NAME: NotAllowedByPolicy, resourceVersion 4711, of the state at 3:41"
    )
    forgotten = dict.fromkeys(("partition", "revision", "session", "presence", "reason"))
    assert words(action=Verb.DELETE, conditions=(), **forgotten) == (
        "deletion of war bookinfo/NAME: at resourceVersion 4711"
    )
    assert Answer(0, 0, b"{", ACTIONS).words({})[0] == "written"
    assert Answer(0, 0, None, ACTIONS).words({}) == ("written", "a record without a value")


def test_what_is_not_told_of_the_sinks_writes_is_said() -> None:
    told = _told(_log(), untold="There is no muster.actions here")
    assert "There is no muster.actions here" in lines(told)
    assert document(told)["untold"] == "There is no muster.actions here"
