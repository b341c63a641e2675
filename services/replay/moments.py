"""Times as people write them on a command line, in UTC where they say no zone: one grammar for every command."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

FORMS = "2026-11-23T03:12:26.702Z, 2026-11-23T03:12, 03:12, or 15m (ago)"

_AGO = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TIME = re.compile(
    r"(?:(?P<day>\d{4}-\d{2}-\d{2})[T ])?(?P<minute>\d{2}:\d{2})(?P<second>:\d{2})?(?P<part>\.\d{1,6})?"
    r"(?P<zone>Z|[+-]\d{2}:\d{2})?"
)
_DAY = timedelta(days=1)


class Reach(NamedTuple):
    """The times of which a log tells; of a live one the last is now, and its beginning is not asked for."""

    last: datetime
    first: datetime | None = None


class Written(NamedTuple):
    """What a time means: ``03:12`` begins at 03:12:00.000 and lasts until 03:12:59.999."""

    begin: datetime
    end: datetime


def duration(text: str) -> timedelta:
    """Return how long ``90m`` is. Raises ValueError where it is no duration."""
    if (found := _AGO.fullmatch(text.strip())) is None:
        raise ValueError(f"{text!r} is no duration; expected one like 90m, 2h or 45s")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def moment(text: str, now: datetime) -> datetime:
    """Return the end of what was written, so that a question about 03:12 sees all that happened in that minute.

    Raises ValueError where it is no time.
    """
    return written(text, Reach(now)).end


def relative(text: str) -> bool:
    """Tell whether a text is a time that depends on how far the log reaches: ``03:12`` and ``15m`` do."""
    found = _TIME.fullmatch(text.strip())
    return _AGO.fullmatch(text.strip()) is not None or (found is not None and not found["day"])


def written(text: str, reach: Reach) -> Written:
    """Return when a text says.

    ``03:12`` is of the last day of the log, or of the day before where the log had not come so far but reaches back
    to it; ``15m`` is so long before the log's end. Raises ValueError where it is no time.
    """
    if ago := _AGO.fullmatch(text.strip()):
        try:
            at = reach.last - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError as cause:
            raise ValueError(f"{text!r} is no time: it is before all calendars") from cause
        return Written(at, at)
    found = _TIME.fullmatch(text.strip())
    if found is None or (found["part"] and not found["second"]):
        raise ValueError(f"{text!r} is no time; expected one like {FORMS} (UTC unless it says a zone)")
    zone = found["zone"] or "+00:00"
    try:
        tz = datetime.fromisoformat(f"2000-01-01T00:00{zone}").tzinfo
        day = found["day"] or reach.last.astimezone(tz).date().isoformat()
        begin = datetime.fromisoformat(f"{day}T{found['minute']}{found['second'] or ''}{found['part'] or ''}{zone}")
    except ValueError as cause:
        raise ValueError(f"{text!r} is no time: {cause}") from cause
    if not found["day"] and begin > reach.last and _reaches_back(reach, begin - _DAY + _length(found)):
        begin -= _DAY
    return Written(begin.astimezone(UTC), (begin + _length(found)).astimezone(UTC))


def _reaches_back(reach: Reach, to: datetime) -> bool:
    return reach.first is None or reach.first <= to


def _length(found: re.Match[str]) -> timedelta:
    """Return how long what was written lasts, but for a millisecond: brokers' times have no finer ones."""
    if found["part"]:
        return timedelta()
    return (timedelta(seconds=1) if found["second"] else timedelta(minutes=1)) - timedelta(milliseconds=1)


def milliseconds(time: datetime) -> int:
    """Return whole milliseconds since the epoch, as brokers count."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
