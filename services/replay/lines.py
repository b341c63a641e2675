"""One record as one line of JSON, and back to exactly the same bytes: what `muster events` prints and recordings hold.

A value that is a JSON object in its shortest spelling stands in the line as that object, so that jq reads it; any
other value stands as text, or in base64 where it is no text. Headers stand there only where a record has some.
"""

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from schemas.message import instant, rfc3339
from services.processor.core.record import Appended, Record

_EPOCH = datetime.fromtimestamp(0, UTC)
_MS = timedelta(milliseconds=1)


class LineError(ValueError):
    """The line is no record; the text says why."""


Headers = tuple[tuple[str, bytes | None], ...]


class Headed(NamedTuple):
    """A record with Kafka's headers, as a replay that emitted it left its trace there."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Line(NamedTuple):
    """A record and where it stood."""

    topic: str
    partition: int
    record: Record | Headed


def headers_of(record: Appended) -> Headers:
    """Return the headers of a record; no fold reads them, so not all kinds of records have some."""
    return tuple(getattr(record, "headers", ()))


def headed(offset: int, timestamp: int, key: bytes | None, value: bytes | None, headers: Headers) -> Record | Headed:
    """Return a record, with headers where there are some."""
    record = Record(offset, timestamp, key, value)
    return Headed(*record, headers) if headers else record


def to_line(topic: str, partition: int, record: Appended) -> bytes:
    """Return the record as a line of JSON, without its end."""
    fields: dict[str, Any] = {
        "topic": topic,
        "partition": partition,
        "offset": record.offset,
        "time": to_time(record.timestamp),
        **_key(record.key),
        **_value(record.value),
    }
    if headers := headers_of(record):
        fields["headers"] = [
            {"name": name, **(_text("value", value) if value is not None else {"value": None})}
            for name, value in headers
        ]
    return shortest(fields)


def from_line(raw: bytes) -> Line:
    """Return the record in a line; kcat's ``-J`` (``ts`` and ``payload``) is read too. Raises ``LineError``."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError) as cause:
        raise LineError(f"not JSON: {cause}") from None
    return from_fields(fields)


def from_fields(fields: Any) -> Line:  # noqa: ANN401 - any JSON
    """Return the record in the fields of a line. Raises ``LineError``."""
    if not isinstance(fields, dict):
        raise LineError("not a JSON object")
    try:
        topic, partition, offset = fields["topic"], fields["partition"], fields["offset"]
        moment = fields["time"] if "time" in fields else fields["ts"]
    except KeyError as missing:
        raise LineError(f"no field {missing}; a record has topic, partition, offset, time, key and value") from None
    if not isinstance(topic, str) or not _counts(partition) or not _counts(offset):
        raise LineError("topic must be a text, partition and offset whole numbers from 0")
    key = _bytes(fields, "key")
    value = _bytes(fields, "value" if "value" in fields or "value64" in fields else "payload")
    return Line(topic, partition, headed(offset, to_millis(moment), key, value, _headers(fields.get("headers") or ())))


def to_time(millis: int) -> str | int:
    """Return broker time in RFC 3339, or as it is where no calendar has it."""
    try:
        return rfc3339(instant(millis))
    except (OverflowError, ValueError, OSError):
        return millis


def to_millis(moment: object) -> int:
    """Return what ``to_time`` was given. Raises ``LineError``."""
    if isinstance(moment, int) and not isinstance(moment, bool):
        return moment
    try:
        parsed = datetime.fromisoformat(str(moment))
    except ValueError:
        raise LineError(f"{moment!r} is no time; expected RFC 3339, like 2026-11-23T03:12:00Z") from None
    if parsed.tzinfo is None:
        raise LineError(f"{moment!r} has no zone; expected RFC 3339, like 2026-11-23T03:12:00Z")
    return (parsed - _EPOCH) // _MS


def shortest(fields: dict[str, Any]) -> bytes:
    """Return JSON in UTF-8 without spaces. Raises ValueError where a text is no Unicode."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _counts(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def _key(key: bytes | None) -> dict[str, Any]:
    return {"key": None} if key is None else _text("key", key)


def _value(value: bytes | None) -> dict[str, Any]:
    if value is None:
        return {"value": None}
    if value[:1] == b"{":
        try:
            found = json.loads(value)
            if shortest(found) == value:
                return {"value": found}
        except (ValueError, RecursionError):
            pass
    return _text("value", value)


def _text(name: str, raw: bytes) -> dict[str, Any]:
    try:
        return {name: raw.decode()}
    except UnicodeDecodeError:
        return {f"{name}64": base64.b64encode(raw).decode()}


def _headers(told: Any) -> Headers:  # noqa: ANN401 - any JSON
    """Return headers; kcat's, names and values in turn, are read too. Raises ``LineError``."""
    if isinstance(told, list) and all(isinstance(one, str | None) for one in told) and len(told) % 2 == 0:
        told = [{"name": name, "value": value} for name, value in zip(told[::2], told[1::2], strict=True)]
    if not isinstance(told, list | tuple) or not all(isinstance(one, dict) and _named(one) for one in told):
        raise LineError("headers must be a list of objects, each with name and value")
    return tuple((one["name"], _bytes(one, "value")) for one in told)


def _named(header: dict[str, Any]) -> bool:
    return isinstance(header.get("name"), str)


def _bytes(fields: dict[str, Any], name: str) -> bytes | None:
    if f"{name}64" in fields:
        try:
            return base64.b64decode(fields[f"{name}64"], validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise LineError(f"{name}64 is not base64") from None
    found = fields.get(name)
    try:
        if isinstance(found, dict):
            return shortest(found)
        if isinstance(found, str):
            return found.encode()
    except ValueError:
        raise LineError(f"{name} holds what is no Unicode") from None
    if found is not None:
        raise LineError(f"{name} must be a text, an object or null")
    return None
