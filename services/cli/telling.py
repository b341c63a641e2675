"""A story as people read it: a table in the order of time, with the windows as a picture; or as JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.message import instant, rfc3339
from schemas.names import WorkloadKey
from schemas.topics import EVENTS
from schemas.workloads import Workload
from services.cli.answers import Answer
from services.cli.table import table
from services.replay.core.chapters import Change, Note, Place, Session, Story, Stretch
from services.replay.core.windows import MEANING, span
from services.replay.core.words import machine
from services.replay.moments import milliseconds

HEAD = ("TIME", "OFFSET", "WINDOW", "RECORD", "WHAT")
SESSIONS = ("SESSION", "ID", "MACHINE", "BEGUN", "ENDED")


class Told(NamedTuple):
    """Everything there is to print."""

    story: Story
    answers: Sequence[Answer]
    until: datetime | None
    newest: Workload | None
    """What ``muster.workloads`` says."""
    disagreement: str | None
    untold: str | None = None
    """What the sink wrote and nobody can tell."""
    interrupted: bool = False
    """The log was not read to where it was to be told."""
    recorded: bool = False
    """It is of a recording: what is since it ended, nobody knows."""

    @property
    def key(self) -> WorkloadKey:
        """Whose story it is."""
        return WorkloadKey(*self.story.key.decode().split("/"))

    @property
    def parts(self) -> list[Change | Stretch | Note | Answer]:
        """Return what happened, in order: notes after the stretch they lie in, answers by their time."""
        told: list[tuple[int, Change | Stretch | Note | Answer]] = []
        for part in self.story.telling:
            if isinstance(part, Change):
                told.append((part.at.timestamp, part))
            else:
                told.append((part.first.timestamp, part))
                told.extend((note.first.timestamp, note) for note in part.notes)
        last = milliseconds(self.until) if self.until is not None else float("inf")
        for answer in self.answers:
            if answer.timestamp <= last:
                after = [index for index, (time, _) in enumerate(told) if time <= answer.timestamp]
                told.insert(after[-1] + 1 if after else 0, (answer.timestamp, answer))
        return [part for _, part in told]


def lines(told: Told) -> list[str]:
    """Return the story as lines without colour."""
    story = told.story
    text = ["/".join(told.key), *_frame(story), "", headline(told), *_doubts(told), ""]
    numbers = {session.id: session.number for session in story.sessions}
    rows = [row for part in told.parts if (row := _row(part, numbers)) is not None]
    text += table(HEAD, rows) if rows else ["(no record of it)"]
    if story.sessions:
        text += ["", *table(SESSIONS, [_session(session) for session in story.sessions])]
    drawn = {
        mark for part in story.telling if isinstance(part, Stretch) and part.picture for mark in part.picture.marks
    }
    legend = "   ".join(f"{mark} {meaning}" for mark, meaning in MEANING.items() if mark in drawn)
    return [*text, "", legend] if legend else text


def headline(told: Told) -> str:
    """Return its presence at the end of the story, and why."""
    story, why = told.story, told.story.why
    at = "When the recording ends it is" if told.recorded else "It is"
    if told.until is not None:
        at = f"At {rfc3339(told.until)} it was"
    if why is None and story.start is not None and (story.reached is None or not story.whole):
        return f"{at} not to be known from the log."
    if why is None:
        return f"{at} not known: the log has no session of it."
    words = (
        f"{at} {why.presence} since {_time(why.at)}, by the {why.by} at offset {why.at.offset} in window "
        f"{why.at.window}: {why.words}."
    )
    if story.missing:
        words += f" Missed in succession so far: {story.missing} (absent at {story.rules.missed_windows})."
    return words + (" The partition is braked." if story.braked else "")


def _frame(story: Story) -> list[str]:
    if story.start is None or story.reached is None:
        where = f"Partition {story.partition} of {EVENTS}: no records"
        return [f"{where} until then; it begins at {_time(story.start)}" if story.start is not None else where]
    rules, reached = story.rules, story.reached
    offsets = f"offsets {span(story.start.offset, reached.offset)}, {_time(story.start)} to {_time(reached)}"
    windows = f"windows of {rules.window_ms / 1000:g} s, absent after {rules.missed_windows} missed"
    return [
        f"Partition {story.partition} of {EVENTS}, {offsets}; window {reached.window} is open",
        f"Rules: {windows}, removed after {rules.grace_windows} more, forgotten after {rules.forget_windows} more",
    ]


def _doubts(told: Told) -> list[str]:
    story, doubts = told.story, []
    if told.interrupted:
        doubts.append("Interrupted: what came later was not read.")
    if not story.whole and story.start is not None:
        doubts.append(
            f"The log begins at offset {story.start.offset}, {_time(story.start)}; what was before is gone: "
            "who was connected, absent or braked then cannot be known, and the brake is judged by those heard of since."
        )
        if not story.sessions and told.newest is not None:
            doubts.append(
                f"muster.workloads says {told.newest.presence} since {rfc3339(told.newest.since)}, by the record at "
                f"offset {told.newest.revision} ({told.newest.reason}: {told.newest.message or 'no more words'})."
            )
    if told.untold is not None:
        doubts.append(told.untold)
    if told.disagreement is not None:
        doubts.append(f"This story cannot be trusted: {told.disagreement}")
    return doubts


def _row(part: Change | Stretch | Note | Answer, numbers: dict[str, int]) -> tuple[str, ...] | None:
    match part:
        case Change():
            return (*_place(part.at, part.at), part.by, f"{part.words} → {part.presence}")
        case Note():
            count = f"{part.what} ×{part.count}" if part.count > 1 else part.what
            kind = f"{part.kind.lower()} by {part.rule}" if part.rule else part.kind
            return (*_place(part.first, part.last), count, f"{kind}: {part.words}")
        case Answer():
            return (rfc3339(instant(part.timestamp)), "", "", *part.words(numbers))
        case Stretch(picture=None, accepted=0):
            return None
        case Stretch():
            windows = span(part.picture.first, part.picture.last) if part.picture is not None else ""
            heard = f"{part.accepted} accepted" if part.accepted else ""
            time, offsets, window = _place(part.first, part.last)
            return time, offsets, windows or window, heard, part.picture.drawn() if part.picture is not None else ""


def _place(first: Place, last: Place) -> tuple[str, str, str]:
    return _time(first), span(first.offset, last.offset), span(first.window, last.window)


def _session(session: Session) -> tuple[str, ...]:
    ended = f"{_time(session.ended)} {session.how}" if session.ended is not None else "-"
    return str(session.number), session.id, machine(session.introduction), _time(session.begun), ended


def _time(place: Place) -> str:
    return rfc3339(instant(place.timestamp))
