"""A story as JSON: one document, times in RFC 3339, for jq."""

from dataclasses import asdict
from typing import Any

from schemas.actions import Written
from schemas.codec import decode_written
from schemas.message import instant, rfc3339
from schemas.topics import ACTIONS, EVENTS
from services.cli.answers import Answer
from services.cli.telling import Told
from services.replay.core.chapters import Change, Note, Place, Stretch


def document(told: Told) -> dict[str, Any]:
    """Return what ``lines`` says, in fields."""
    story, key = told.story, told.key
    numbers = {session.id: session.number for session in story.sessions}
    return {
        "key": "/".join(key),
        "name": key.war_name,
        **key._asdict(),
        "at": rfc3339(told.until) if told.until is not None else None,
        "complete": not told.interrupted,
        "log": {
            "topic": EVENTS,
            "partition": story.partition,
            "whole": story.whole,
            "start": _place(story.start),
            "reached": _place(story.reached),
        },
        "rules": asdict(story.rules),
        "presence": story.why.presence if story.why is not None else None,
        "why": _part(story.why, numbers) if story.why is not None else None,
        "missing": story.missing,
        "braked": story.braked,
        "disagreement": told.disagreement,
        "untold": told.untold,
        "sessions": [
            {
                "number": session.number,
                "id": session.id,
                "begun": _place(session.begun),
                "ended": _place(session.ended),
                "how": session.how,
                "introduction": session.introduction.model_dump(mode="json", exclude_none=True),
            }
            for session in story.sessions
        ],
        "story": [_part(part, numbers) for part in told.parts],
    }


def _part(part: Change | Stretch | Note | Answer, numbers: dict[str, int]) -> dict[str, Any]:
    match part:
        case Change():
            return {
                "kind": "change",
                **(_place(part.at) or {}),
                "by": part.by,
                "session": part.session,
                "before": part.before,
                "presence": part.presence,
                "words": part.words,
            }
        case Stretch():
            picture = part.picture
            windows = {"first": picture.first, "last": picture.last, "picture": picture.drawn()} if picture else None
            ends = {"first": _place(part.first), "last": _place(part.last)}
            return {"kind": "stretch", **ends, "accepted": part.accepted, "windows": windows}
        case Note():
            ends = {"first": _place(part.first), "last": _place(part.last)}
            said = {"record": part.what, "rule": part.rule, "words": part.words, "count": part.count}
            return {"kind": part.kind, **ends, **said}
        case Answer():
            kind, words = part.words(numbers)
            place = {"topic": part.topic, "offset": part.offset, "time": rfc3339(instant(part.timestamp))}
            return {"kind": kind, **place, "words": words, **_written(part)}


def _written(answer: Answer) -> dict[str, Any]:
    """Return a write of the sink in fields, as its record has them."""
    written = decode_written(answer.value or b"") if answer.topic == ACTIONS else None
    if not isinstance(written, Written):
        return {}
    return {"written": written.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"v", "type"})}


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"offset": place.offset, "time": rfc3339(instant(place.timestamp)), "window": place.window}
