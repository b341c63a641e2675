"""What lies between two changes: like notes are summed up, and unlike ones are listed up to a bound."""

from schemas.codec import Rejection
from schemas.events import AgentEvent, Event
from schemas.rejected import Rejected, RejectReason
from services.processor.core.record import Effect, Ignored, Notice, Reject, Rule
from services.replay.core import words
from services.replay.core.chapters import Note, Place, Stretch
from services.replay.core.windows import Strip

LISTED = 24
"""More kinds of notes than this between two changes lose what tells them apart."""

IGNORED = "Ignored"
REJECTED = "Rejected"
NOT_KNOWN = "NotKnown"
"""The log's start is gone, and with it what would tell whether the record was accepted."""


class Notes:
    """Collects the notes between two changes."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, ...], Note] = {}

    def told(self) -> tuple[Note, ...]:
        """Return the notes, by their first record."""
        return tuple(sorted(self._notes.values(), key=lambda note: note.first.offset))

    def refused(self, at: Place, event: Event | Rejection, effect: Effect, session: str, *, unknowable: bool) -> None:
        """Note a record of the workload that was ignored or rejected; ``session`` says whose it was."""
        what = words.record_type(event)
        if isinstance(effect, Reject):
            fault = Rejected.model_validate_json(effect.value).message
            kind = fault.partition(":")[0] if effect.reason == RejectReason.NOT_VERIFIED else ""
            self._add((REJECTED, what, effect.reason, kind), Note(REJECTED, what, effect.reason, fault, at, at, 1))
        elif isinstance(effect, Ignored) and effect.rule is Rule.UNKNOWN_SESSION and unknowable:
            note = Note(NOT_KNOWN, what, "", f"{session} {words.BEFORE_THE_LOG}", at, at, 1)
            self._add((NOT_KNOWN, what, session), note)
        elif isinstance(effect, Ignored):
            note = Note(IGNORED, what, effect.rule, f"{session}: {words.RULES.get(effect.rule, '')}", at, at, 1)
            self._add((IGNORED, what, effect.rule, session), note)

    def notice(self, at: Place, what: str, notice: Notice) -> None:
        """Note what befell the whole partition."""
        self._add((notice.kind, what, notice.words), Note(notice.kind, what, "", notice.words, at, at, 1))

    def _add(self, key: tuple[str, ...], note: Note) -> None:
        if key not in self._notes and len(self._notes) >= LISTED:
            key = key[:2]
        known = self._notes.get(key)
        if known is not None:
            note = Note(note.kind, note.what, known.rule, known.words, known.first, note.last, known.count + 1)
        elif len(key) == 2:  # noqa: PLR2004 - shortened above
            note = Note(note.kind, note.what, "", "and others, different ones", note.first, note.last, 1)
        self._notes[key] = note


def session_name(event: Event | Rejection, numbers: dict[str, int]) -> str:
    """Return ``session 2``, or ``session <id>`` of one that was never taken."""
    if not isinstance(event, AgentEvent):
        return "no session"
    number = numbers.get(event.session)
    return f"session {number}" if number else f"session {event.session}"


class Between:
    """A stretch in the making."""

    def __init__(self) -> None:
        self.first: Place | None = None
        self.last: Place | None = None
        self.accepted = 0
        self.strip = Strip()
        self.notes = Notes()

    def at(self, place: Place) -> "Between":
        """Note that something of the stretch happened there."""
        self.first = self.first or place
        self.last = place
        return self

    def stretch(self) -> Stretch | None:
        """Return the stretch; None if nothing happened in it."""
        if self.first is None or self.last is None:
            return None
        return Stretch(self.first, self.last, self.accepted, self.strip.picture(), self.notes.told())
