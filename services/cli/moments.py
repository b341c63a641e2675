"""Times as people write them on a command line, in UTC where they say no zone."""

import re
from datetime import UTC, datetime, timedelta

FORMS = "2026-11-23T03:12:26.702Z, 2026-11-23T03:12, 03:12, or 15m (ago)"

_AGO = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TIME = re.compile(
    r"(?:(?P<day>\d{4}-\d{2}-\d{2})[T ])?(?P<minute>\d{2}:\d{2})(?P<second>:\d{2})?(?P<part>\.\d{1,6})?"
    r"(?P<zone>Z|[+-]\d{2}:\d{2})?"
)


def duration(text: str) -> timedelta:
    """Return how long ``90m`` is. Raises ValueError where it is no duration."""
    if (found := _AGO.fullmatch(text.strip())) is None:
        raise ValueError(f"{text!r} is no duration; expected one like 90m, 2h or 45s")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def moment(text: str, now: datetime) -> datetime:
    """Return the end of what was written: ``03:12`` is the newest such minute that has begun, up to its last instant.

    So a question about 03:12 sees all that happened in that minute. ``15m`` is so long before ``now``.
    Raises ValueError where it is no time.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    found = _TIME.fullmatch(text.strip())
    if found is None or (found["part"] and not found["second"]):
        raise ValueError(f"{text!r} is no time; expected one like {FORMS} (UTC unless it says a zone)")
    zone = found["zone"] or "+00:00"
    day = found["day"] or now.astimezone(datetime.fromisoformat(f"2000-01-01T00:00{zone}").tzinfo).date().isoformat()
    try:
        begin = datetime.fromisoformat(f"{day}T{found['minute']}{found['second'] or ''}{found['part'] or ''}{zone}")
    except ValueError as cause:
        raise ValueError(f"{text!r} is no time: {cause}") from cause
    if not found["day"] and begin > now:
        begin -= timedelta(days=1)
    return (begin + _length(found)).astimezone(UTC)


def _length(found: re.Match[str]) -> timedelta:
    """Return how long what was written lasts, but for a millisecond: brokers' times have no finer ones."""
    if found["part"]:
        return timedelta()
    return (timedelta(seconds=1) if found["second"] else timedelta(minutes=1)) - timedelta(milliseconds=1)


def milliseconds(time: datetime) -> int:
    """Return whole milliseconds since the epoch, as brokers count."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
