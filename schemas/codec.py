"""Bytes to messages and back: total functions, whatever the bytes.

Decoding never raises: it returns the message, or a ``Rejection`` whose reason code and words end in
``muster.rejected``.
"""

import json
import re
from binascii import unhexlify
from typing import Annotated, Any, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from schemas.actions import Written
from schemas.events import EVENT_TYPES, Connect, Disconnect, Event, Heartbeat
from schemas.message import VERSION, Message, complaint
from schemas.names import CONTROL_KEY, parse_key
from schemas.registrations import Answer, Ended, Refused, Registered
from schemas.rejected import RejectReason
from schemas.removals import Release, Removal, Restore
from schemas.workloads import Workload

MAX_EVENT_BYTES = 64 * 1024
"""An event larger than this is rejected unread; a registration is about 1 KiB."""

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
_WORKLOAD: TypeAdapter[Workload] = TypeAdapter(Workload)
_REMOVAL: TypeAdapter[Removal] = TypeAdapter(Removal)
_RESTORE: TypeAdapter[Restore] = TypeAdapter(Restore)
_RELEASE: TypeAdapter[Release] = TypeAdapter(Release)
_WRITTEN: TypeAdapter[Written] = TypeAdapter(Written)
_ANSWER: TypeAdapter[Registered | Refused | Ended] = TypeAdapter(Answer)

_validate_event = _EVENT.validator.validate_json


_PLAIN_HEAD = b'{"v":1,"type":"heartbeat","session":"'
_PLAIN_SESSION = slice(len(_PLAIN_HEAD), len(_PLAIN_HEAD) + 36)
_PLAIN_TAIL = re.compile(
    rb'","seq":(0|[1-9]\d{0,17})(?:,"link":"((?s:.{64}))")?(?:,"workload":(\{.*\}))?(?:,"sentAt":"20\d\d-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])'
    rb"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
    rb'T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z")?\}'
).fullmatch


class Rejection(NamedTuple):
    """Why bytes are no message we take."""

    reason: RejectReason
    message: str


def decode_event(key: bytes | None, value: bytes | None) -> Event | Rejection:
    """Return the event in a record of ``muster.events``, checked against its key, or why there is none."""
    if value is None:
        return Rejection(RejectReason.UNDECODABLE, "the record has no value; an event is a JSON object")
    if len(value) > MAX_EVENT_BYTES:
        return Rejection(RejectReason.OVERSIZE, f"{len(value)} bytes; an event has at most {MAX_EVENT_BYTES} bytes")
    try:
        event: Event = _validate_event(value)
    except ValidationError as error:
        return _rejection(value, error, EVENT_TYPES)
    return _untold(event) or _key_fault(key, event) or event


PlainHeartbeat = tuple[int, bytes | None, bytes | None]
"""What stands in a heartbeat as our agents write it: seq, link (raw), and the introduction's bytes, unread."""


def plain_heartbeat(value: bytes, session: str) -> PlainHeartbeat | None:
    """Return what stands in a heartbeat of ``session``, where it has the bytes our agents write, and no proof.

    A fifth of the cost of ``decode_event``, which would say the same, if the introduction is one. None says nothing:
    it may be a heartbeat spelt otherwise, of another session, or with more in it.
    """
    if not value.startswith(_PLAIN_HEAD) or value[_PLAIN_SESSION] != session.encode():
        return None
    found = _PLAIN_TAIL(value, _PLAIN_SESSION.stop)
    if found is None:
        return None
    seq, link, workload = found.groups()
    if link is None:
        return int(seq), None, workload
    try:
        raw = unhexlify(link)
    except ValueError:
        return None
    # Checked here, as the pattern would take four times as long to look at each digit.
    return (int(seq), raw, workload) if link == link.lower() else None


def decode_workload(value: bytes) -> Workload | Rejection:
    """Return the state in a record of ``muster.workloads``, or why there is none."""
    try:
        state = _WORKLOAD.validate_json(value)
    except ValidationError as error:
        return _rejection(value, error, ("workload",))
    return _untold(state) or state


def decode_answer(value: bytes) -> Registered | Refused | Ended | Rejection:
    """Return the answer in a record of ``muster.registrations``, or why there is none."""
    try:
        answer = _ANSWER.validate_json(value)
    except ValidationError as error:
        return _rejection(value, error, ("registered", "refused", "ended"))
    return _untold(answer) or answer


def decode_removal(value: bytes) -> Removal | Rejection:
    """Return the removal in a record of ``muster.removals``, or why there is none."""
    try:
        removal = _REMOVAL.validate_json(value)
    except ValidationError as error:
        return _rejection(value, error, ("removal",))
    return _untold(removal) or removal


def decode_restore(value: bytes) -> Restore | Rejection:
    """Return the order in a record of ``muster.restores``, or why there is none."""
    try:
        restore = _RESTORE.validate_json(value)
    except ValidationError as error:
        return _rejection(value, error, ("restore",))
    return _untold(restore) or restore


def decode_release(value: bytes) -> Release | Rejection:
    """Return the order in a record of ``muster.restores`` with the control records' key, or why there is none."""
    try:
        release = _RELEASE.validate_json(value)
    except ValidationError as error:
        return _rejection(value, error, ("release",))
    return _untold(release) or release


def decode_written(value: bytes) -> Written | Rejection:
    """Return the write in a record of ``muster.actions``, or why there is none."""
    try:
        written = _WRITTEN.validate_json(value)
    except ValidationError as error:
        return _rejection(value, error, ("written",))
    return _untold(written) or written


def _untold(message: Message) -> Rejection | None:
    """Say which of version and type the bytes left out: the models' defaults are for who builds a message in Python."""
    told = message.model_fields_set
    if "v" in told and "type" in told:
        return None
    return Rejection(RejectReason.MISSING_FIELD, f"{'type' if 'v' in told else 'v'}: missing")


def _key_fault(key: bytes | None, event: Event) -> Rejection | None:
    """Say how the key contradicts the body; a bare heartbeat says nothing of itself but its session."""
    if isinstance(event, Connect | Heartbeat) and event.workload is not None:
        expected = event.workload.key
        if key != expected.to_bytes():
            shown = _shown(key)
            return Rejection(
                RejectReason.KEY_MISMATCH,
                f"the key is {shown} but the body is of {str(expected.to_bytes()[:512])[2:-1]}",
            )
        fault = expected.fault()
        return Rejection(RejectReason.INVALID_NAME, fault) if fault else None
    if isinstance(event, Heartbeat | Disconnect):
        if key is None or key == CONTROL_KEY or key.count(b"/") != 2:  # noqa: PLR2004 - namespace/group/identity
            return Rejection(
                RejectReason.KEY_MISMATCH,
                f"the key is {_shown(key)}; expected <namespace>/<group>/<workload-identity>",
            )
        return None
    if key != CONTROL_KEY:
        return Rejection(
            RejectReason.KEY_MISMATCH, f"the key is {_shown(key)}; a {event.type} has {CONTROL_KEY.decode()}"
        )
    return None


def _shown(key: bytes | None) -> str:
    if key is None:
        return "missing"
    parsed = parse_key(key)
    return "/".join(parsed)[:512] if parsed else repr(key[:80])


def _rejection(value: bytes, error: ValidationError, types: tuple[str, ...]) -> Rejection:
    """Turn pydantic's complaint into our reason code: JSON first, then version, then type, then fields."""
    try:
        body: Any = json.loads(value)
    except (ValueError, RecursionError) as cause:
        return Rejection(RejectReason.UNDECODABLE, f"not JSON: {cause}")
    faults = error.errors(include_url=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        # Python takes what pydantic does not: UTF-16, a byte order mark, half of a surrogate pair.
        return Rejection(RejectReason.UNDECODABLE, f"not JSON in UTF-8: {complaint(faults[0])}")
    fault = _envelope_fault(body, types)
    if fault is not None:
        return fault
    missing = any(fault["type"] == "missing" for fault in faults)
    # The discriminator's value stands first in a union's locations; the reader wants the field's path.
    first = 1 if len(types) > 1 else 0
    words = "; ".join(
        f"{'.'.join(map(str, fault['loc'][first:])) or 'body'}: {complaint(fault)}" for fault in faults[:5]
    )
    return Rejection(RejectReason.MISSING_FIELD if missing else RejectReason.INVALID_FIELD, words)


def _envelope_fault(body: Any, types: tuple[str, ...]) -> Rejection | None:  # noqa: ANN401 - any JSON
    if not isinstance(body, dict):
        return Rejection(RejectReason.UNDECODABLE, f"a JSON {type(body).__name__}; expected an object")
    for field in ("v", "type"):
        if field not in body:
            return Rejection(RejectReason.MISSING_FIELD, f"{field}: missing")
    if body["v"] != VERSION:
        return Rejection(RejectReason.UNKNOWN_VERSION, f"v is {str(body['v'])[:40]!r}; this Muster reads {VERSION}")
    if body["type"] not in types:
        return Rejection(
            RejectReason.UNKNOWN_TYPE,
            f"type is {str(body['type'])[:40]!r}; expected one of {', '.join(types)}",
        )
    return None
