"""The story of one workload, from logs as a test would tell them."""

from services.processor.core.rules import Rules
from services.replay.core.chapters import Change, Note, Story, Stretch
from services.replay.core.story import story
from tests.support.logs import START_MS, Log, key

RULES = Rules(window_ms=1000, missed_windows=3, grace_windows=4, forget_windows=5, brake_least=3)


def told(log: Log, *, who: int = 1, until: int | None = None, first: int = 0) -> Story:
    return story(log.records[first:], key(who), RULES, until=until)


def _lines(tale: Story) -> list[str]:
    return [_line(part) for part in tale.telling]


def _line(part: Change | Stretch) -> str:
    if isinstance(part, Change):
        return f"{part.by} @{part.at.offset} w{part.at.window}: {part.words} -> {part.presence}"
    return f"{part.accepted} {part.picture.drawn() if part.picture else ''}".strip()


def _notes(tale: Story) -> list[Note]:
    return [note for part in tale.telling if isinstance(part, Stretch) for note in part.notes]


def _silent(log: Log, windows: int) -> None:
    for _ in range(windows):
        log.tick()


def test_a_verdict_names_the_windows_that_were_missed_and_the_count_that_decided() -> None:
    log = Log()
    log.connect(1)
    log.tick()
    log.heartbeat(1, seq=1)
    log.tick()
    _silent(log, 3)
    assert _lines(told(log)) == [
        "connect @0 w0: session 1 begins (agent v1.0.0) -> connected",
        "1 ▇▇▁▁▁",
        "tick @6 w4: missed windows 2–4: 3 of 3 -> absent",
    ]


def test_a_return_within_the_session_says_what_it_was_before() -> None:
    log = Log()
    log.connect(1)
    _silent(log, 5)
    log.heartbeat(1, seq=1)
    log.tick()
    assert _lines(told(log))[-3:] == [
        "0 ·",
        "heartbeat @6 w5: heard of again, in the same session; it was absent -> connected",
        "0 ▇",
    ]


def test_a_takeover_ends_the_earlier_session_and_its_late_heartbeats_are_summed_up() -> None:
    log = Log()
    log.connect(1, of=1)
    log.connect(1, of=2)
    for seq in range(1, 4):
        log.heartbeat(1, of=1, seq=seq)
    tale = told(log)
    assert _lines(tale)[1] == (
        "connect @1 w0: session 2 begins (agent v1.0.0) and takes over from session 1, which was connected -> connected"
    )
    assert [(session.number, session.how) for session in tale.sessions] == [(1, "superseded by session 2"), (2, "")]
    [note] = _notes(tale)
    assert (note.kind, note.what, note.rule, note.count) == ("Ignored", "heartbeat", "SupersededSession", 3)
    assert note.words == "session 1: a newer session took over"
    assert (note.first.offset, note.last.offset) == (2, 4)


def test_a_void_window_is_drawn_and_does_not_count_as_missed() -> None:
    log = Log()
    log.connect(1)
    _silent(log, 2)
    log.resumed()
    _silent(log, 3)
    tale = told(log)
    assert _lines(tale)[1:] == ["0 ▇▁○▁▁", "tick @6 w4: missed windows 1, 3–4: 3 of 3 -> absent"]
    assert [(note.kind, note.first.window) for note in _notes(tale)] == [("VoidWindow", 2)]


def test_the_brake_is_told_with_its_windows_and_its_release() -> None:
    log = Log()
    for who in range(1, 5):
        log.connect(who)
    _silent(log, 6)
    log.release()
    log.tick()
    tale = told(log)
    brake = (
        "4 of 4 agents of partition 0 fell silent together; nobody is marked absent until they are back or an operator "
        "releases the brake"
    )
    assert _lines(tale)[1:] == [
        "0 ▇▁▁╳",
        f"tick @7 w3: missed windows 1–3: 3 of 3, but the partition is braked: {brake} -> unknown",
        "0 ╳╳▁",
        "tick @11 w6: the brake was released and it is still silent (missed windows 1–3: 3 of 3) -> absent",
    ]
    assert [(note.kind, note.words) for note in _notes(tale)] == [
        ("Braked", "window 3: 4 of 4 agents are silent"),
        ("Overridden", "ReleaseBrake by ann: known outage"),
        ("Released", "window 6: 4 of 4 agents are silent"),
    ]


def test_removal_and_forgetting_are_told_with_their_counts() -> None:
    log = Log()
    log.connect(1)
    log.goodbye(1, seq=1)
    _silent(log, 11)
    tale = told(log)
    assert _lines(tale)[1:] == [
        "disconnect @1 w0: the agent said goodbye: AgentStopping -> absent",
        "0 ▇····",
        "tick @6 w4: absent for 4 of 4 counted windows of grace -> removed",
        "0 ·····",
        "tick @11 w9: removed for 5 counted windows: nothing is remembered of it from here on -> forgotten",
    ]
    assert tale.row is None


def test_a_changed_registration_is_told_with_what_it_was() -> None:
    log = Log()
    log.connect(1)
    log.heartbeat(1, seq=1, introduces="v2.0.0")
    assert _lines(told(log))[1:] == ["heartbeat @1 w0: registration changed: agent v1.0.0 → agent v2.0.0 -> connected"]


def test_redelivered_and_ended_records_are_told_with_the_rule_that_ignored_them() -> None:
    log = Log()
    log.connect(1)
    log.connect(1)
    log.goodbye(1, seq=3)
    log.heartbeat(1, seq=4)
    log.append(key(1), b"{")
    assert [(note.kind, note.what, note.rule, note.count) for note in _notes(told(log))] == [
        ("Ignored", "connect", "StaleSequence", 1),
        ("Ignored", "heartbeat", "EndedSession", 1),
        ("Rejected", "record", "Undecodable", 1),
    ]


def test_the_story_until_a_time_ends_before_the_first_record_after_it() -> None:
    log = Log()
    log.connect(1)
    _silent(log, 5)
    before = told(log, until=START_MS + 3999)
    assert before.row is not None
    assert (before.row.presence, before.missing) == ("connected", "1–2")
    at = told(log, until=START_MS + 4000)
    assert at.why is not None
    assert (at.why.presence, at.why.words, at.why.at.offset) == ("absent", "missed windows 1–3: 3 of 3", 4)


def test_a_log_without_its_start_counts_its_windows_from_the_ticks_and_says_that_it_is_not_whole() -> None:
    log = Log()
    log.connect(1)
    _silent(log, 4)
    first = len(log.records)
    log.heartbeat(1, seq=7)
    log.tick()
    log.heartbeat(1, seq=8, introduces="v1.0.0")
    log.tick()
    _silent(log, 3)
    tale = told(log, first=first)
    assert not tale.whole
    assert _lines(tale) == [
        "0",
        (
            "heartbeat @7 w5: session 1 is introduced here first (agent v1.0.0): it began before the log's start "
            "-> connected"
        ),
        "0 ▇▁▁▁",
        "tick @11 w8: missed windows 6–8: 3 of 3 -> absent",
    ]
    [note] = _notes(tale)
    assert (note.kind, note.count) == ("NotKnown", 1)
    assert "accepted or not, nobody can tell" in note.words


def test_a_stray_tick_at_a_start_that_is_gone_does_not_stop_time() -> None:
    log = Log(window=40)
    log.resumed()
    log.tick(0, window=7)
    log.connect(1)
    log.tick()
    _silent(log, 3)
    assert _lines(told(log, first=1))[1:] == ["0 ▇▁▁▁", "tick @6 w43: missed windows 41–43: 3 of 3 -> absent"]


def test_a_workload_that_the_log_does_not_know_has_an_empty_story() -> None:
    log = Log()
    log.connect(1)
    log.tick()
    tale = told(log, who=2)
    assert (tale.telling, tale.sessions, tale.row, tale.why) == ((), (), None, None)


def test_a_week_of_heartbeats_takes_no_more_room_than_a_minute() -> None:
    log = Log()
    log.connect(1)
    for seq in range(1, 2000):
        if seq % 3:
            log.heartbeat(1, seq=seq)
        log.tick()
    tale = told(log)
    [_, stretch] = tale.telling
    assert isinstance(stretch, Stretch)
    assert stretch.picture is not None
    assert len(stretch.picture.head) + len(stretch.picture.tail) == 24
    assert stretch.picture.drawn() == "▇▇▁▇▇▁▇▇▁▇▇▁… (▇×1310 ▁×654) …▁▇▇▁▇▇▁▇▇▁▇▇▁▇▇▁▇▇▁▇▇▁▇"


def test_many_different_notes_are_listed_up_to_a_bound() -> None:
    log = Log()
    log.connect(1)
    for number in range(2, 200):
        log.heartbeat(1, of=number)
    notes = _notes(told(log))
    assert len(notes) == 25
    assert sum(note.count for note in notes) == 198


def test_records_are_folded_once() -> None:
    log = Log()
    log.connect(1)
    log.tick()
    again = [*log.records, *log.records]
    assert story(again, key(1), RULES).telling == told(log).telling
