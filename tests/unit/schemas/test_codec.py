import json
from typing import Any

import pytest

from schemas.codec import MAX_EVENT_BYTES, Rejection, decode_answer, decode_event, decode_workload
from schemas.names import CONTROL_KEY
from schemas.rejected import RejectReason
from tests.unit.schemas.messages import ANSWERS, EVENTS, KEY, WORKLOAD

CONNECT: dict[str, Any] = json.loads(EVENTS["connect"][1].to_json())
HEARTBEAT: dict[str, Any] = json.loads(EVENTS["heartbeat"][1].to_json())
TICK: dict[str, Any] = json.loads(EVENTS["tick"][1].to_json())


def _connect(path: str, value: object) -> bytes:
    body = json.loads(json.dumps(CONNECT))
    *parents, last = path.split(".")
    inner = body
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return json.dumps(body).encode()


def _json(**changes: object) -> bytes:
    return json.dumps({**HEARTBEAT, **changes}).encode()


def _without(body: dict[str, Any], field: str) -> bytes:
    return json.dumps({name: value for name, value in body.items() if name != field}).encode()


R = RejectReason
BAD: dict[str, tuple[bytes | None, bytes | None, RejectReason, str]] = {
    "no value": (KEY, None, R.UNDECODABLE, "no value"),
    "empty": (KEY, b"", R.UNDECODABLE, "not JSON"),
    "random bytes": (KEY, b"\x00\xff\xfe\x80", R.UNDECODABLE, "not JSON"),
    "cut short": (KEY, _json()[:-1], R.UNDECODABLE, "not JSON"),
    "not UTF-8 inside": (KEY, b'{"v":1,"type":"\xff"}', R.UNDECODABLE, "not JSON"),
    "UTF-16": (KEY, _json().decode().encode("utf-16"), R.UNDECODABLE, "not JSON"),
    "half a surrogate pair": (KEY, _connect("workload.namespace", "\ud800"), R.UNDECODABLE, "not JSON"),
    "a byte order mark": (KEY, b"\xef\xbb\xbf" + _json(), R.UNDECODABLE, "not JSON"),
    "deep nesting": (KEY, b"[" * 30_000 + b"]" * 30_000, R.UNDECODABLE, "not JSON"),
    "deep nesting in a field": (
        KEY,
        b'{"v":1,"type":"heartbeat","x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        R.UNDECODABLE,
        "not JSON",
    ),
    "a number of many digits": (KEY, b'{"v":' + b"9" * 5000 + b"}", R.UNDECODABLE, "not JSON"),
    "a list": (KEY, b"[]", R.UNDECODABLE, "a JSON list; expected an object"),
    "a number": (KEY, b"3", R.UNDECODABLE, "a JSON int"),
    "null": (KEY, b"null", R.UNDECODABLE, "a JSON NoneType"),
    "oversize": (KEY, b" " * (MAX_EVENT_BYTES + 1), R.OVERSIZE, "65537 bytes"),
    "no version": (KEY, _without(HEARTBEAT, "v"), R.MISSING_FIELD, "v: missing"),
    "no type": (KEY, _without(HEARTBEAT, "type"), R.MISSING_FIELD, "type: missing"),
    "version 2": (KEY, _json(v=2), R.UNKNOWN_VERSION, "v is '2'; this Muster reads 1"),
    "a version in words": (KEY, _json(v="one"), R.UNKNOWN_VERSION, "v is 'one'"),
    "a version of depth": (KEY, _json(v=[[[]]]), R.UNKNOWN_VERSION, "v is '[[[]]]'"),
    "unknown version of an unknown type": (KEY, _json(v=2, type="farewell"), R.UNKNOWN_VERSION, "v is '2'"),
    "unknown type": (KEY, _json(type="farewell"), R.UNKNOWN_TYPE, "type is 'farewell'; expected one of connect,"),
    "a type that is a list": (KEY, _json(type=["connect"]), R.UNKNOWN_TYPE, "expected one of connect,"),
    "a workload's state": (KEY, WORKLOAD.to_json(), R.UNKNOWN_TYPE, "type is 'workload'"),
    "no session": (KEY, _without(HEARTBEAT, "session"), R.MISSING_FIELD, "session: Field required"),
    "no seq": (KEY, _without(HEARTBEAT, "seq"), R.MISSING_FIELD, "seq: Field required"),
    "no introduction in a connect": (KEY, _without(CONNECT, "workload"), R.MISSING_FIELD, "workload: Field required"),
    "no window in a tick": (CONTROL_KEY, _without(TICK, "window"), R.MISSING_FIELD, "window: Field required"),
    "a session that is no UUID": (KEY, _json(session="me"), R.INVALID_FIELD, "session: String should match"),
    "a session in capitals": (KEY, _json(session=HEARTBEAT["session"].upper()), R.INVALID_FIELD, "session:"),
    "a negative seq": (KEY, _json(seq=-1), R.INVALID_FIELD, "seq: Input should be greater"),
    "a seq in words": (KEY, _json(seq="x"), R.INVALID_FIELD, "seq: Input should be a valid integer"),
    "a seq beyond 63 bits": (KEY, _json(seq=2**63), R.INVALID_FIELD, "seq: Input should be less"),
    "a seq that is NaN": (KEY, b'{"v":1,"type":"heartbeat","session":"x","seq":NaN}', R.INVALID_FIELD, "seq:"),
    "a seq that is no whole number": (KEY, _json(seq=1.5), R.INVALID_FIELD, "seq:"),
    "a time without a zone": (KEY, _json(sentAt="2026-11-23T12:00:00"), R.INVALID_FIELD, "sentAt:"),
    "a time beyond the calendar": (KEY, _json(sentAt=1e300), R.INVALID_FIELD, "sentAt:"),
    "an account in words": (KEY, _connect("workload.identity.aws.account", "x"), R.INVALID_FIELD, "aws.account:"),
    "two kinds of identity": (
        KEY,
        _connect("workload.identity.jwt", {"issuer": "a", "subject": "b"}),
        R.INVALID_FIELD,
        "exactly one of aws, jwt, gcp and azure",
    ),
    "labels that are a list": (KEY, _connect("workload.registration.workload.labels", []), R.INVALID_FIELD, "labels:"),
    "an unknown override": (
        CONTROL_KEY,
        b'{"v":1,"type":"override","action":"Panic","who":"a","why":"b"}',
        R.INVALID_FIELD,
        "action: Input should be 'ReleaseBrake'",
    ),
    "another group in the key": (b"bookinfo/reviews/x", EVENTS["connect"][1].to_json(), R.KEY_MISMATCH, "but the body"),
    "a connect without a key": (None, EVENTS["connect"][1].to_json(), R.KEY_MISMATCH, "the key is missing"),
    "a heartbeat without a key": (None, _json(), R.KEY_MISMATCH, "the key is missing"),
    "a heartbeat with half a key": (b"bookinfo/ratings", _json(), R.KEY_MISMATCH, "expected <namespace>/<group>/"),
    "a heartbeat with the roll call's key": (CONTROL_KEY, _json(), R.KEY_MISMATCH, "the key is b'#roll-call'"),
    "a connect with the roll call's key": (CONTROL_KEY, EVENTS["connect"][1].to_json(), R.KEY_MISMATCH, "#roll-call"),
    "a tick with a workload's key": (KEY, json.dumps(TICK).encode(), R.KEY_MISMATCH, "a tick has #roll-call"),
    "a tick without a key": (None, json.dumps(TICK).encode(), R.KEY_MISMATCH, "the key is missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_rejected_with_a_reason_and_words(name: str) -> None:
    key, value, reason, words = BAD[name]
    got = decode_event(key, value)
    assert isinstance(got, Rejection)
    assert (got.reason, words in got.message) == (reason, True), got
    assert len(got.message) < 2000


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("namespace", "Bookinfo", "not an RFC 1123 label"),
        ("namespace", "n" * 64, "at most 63"),
        ("namespace", "", "not an RFC 1123 label"),
        ("namespace", "a.b", "not an RFC 1123 label"),
        ("namespace", "a/b", "not an RFC 1123 label"),
        ("namespace", "#roll-call", "not an RFC 1123 label"),
        ("namespace", "bookinfo\n", "not an RFC 1123 label"),
        ("group", "rät", "not an RFC 1123 subdomain"),
        ("group", "-a", "not an RFC 1123 subdomain"),
        ("group", "a/b", "not an RFC 1123 subdomain"),
        ("group", "g" * 200, "Kubernetes allows 253"),
        ("group", "g" * 20_000, "Kubernetes allows 253"),
        ("identity.aws.zone", "us east", "not an RFC 1123 subdomain"),
        ("identity.aws.zone", "z" * 253, "Kubernetes allows 253"),
    ],
)
def test_a_name_that_kubernetes_would_not_take_is_rejected(field: str, value: str, words: str) -> None:
    raw = _connect(f"workload.{field}", value)
    body = json.loads(raw)["workload"]
    aws = body["identity"]["aws"]
    identity = f"aws-{aws['partition']}-{aws['account']}-{aws['zone']}-ec2-{aws['ec2']['instanceId']}"
    got = decode_event(f"{body['namespace']}/{body['group']}/{identity}".encode(), raw)
    assert isinstance(got, Rejection)
    assert (got.reason, words in got.message) == (RejectReason.INVALID_NAME, True), got
    assert len(got.message) < 2000


@pytest.mark.parametrize("name", EVENTS)
def test_a_good_record_is_taken(name: str) -> None:
    key, event = EVENTS[name]
    assert decode_event(key, event.to_json()) == event


@pytest.mark.parametrize("sent", ["1970-01-01T00:00:00Z", "2099-12-31T23:59:59Z", "0001-01-01T00:00:00+00:00"])
def test_a_clock_years_off_is_shown_and_does_no_harm(sent: str) -> None:
    assert not isinstance(decode_event(KEY, _json(sentAt=sent)), Rejection)


@pytest.mark.parametrize("key", [b"bookinfo//x", b"\xff/\xff/\xff"])
def test_a_bare_heartbeat_under_the_key_of_nobody_is_left_to_the_roll(key: bytes) -> None:
    """No session is known there, so it changes nothing; to look closer would cost every heartbeat."""
    assert not isinstance(decode_event(key, _json()), Rejection)


def test_the_largest_allowed_record_is_read() -> None:
    padding = MAX_EVENT_BYTES - len(_json(padding=""))
    assert not isinstance(decode_event(KEY, _json(padding="x" * padding)), Rejection)


def test_a_bad_state_is_rejected_by_its_own_field() -> None:
    body = json.loads(WORKLOAD.to_json())
    got = decode_workload(json.dumps({**body, "revision": -1}).encode())
    assert isinstance(got, Rejection)
    assert got.message.startswith("revision: Input should be")
    got = decode_workload(json.dumps({**body, "workload": {**body["workload"], "group": 3}}).encode())
    assert isinstance(got, Rejection)
    assert got.message.startswith("workload.group: Input should be")
    assert decode_workload(WORKLOAD.to_json()) == WORKLOAD


@pytest.mark.parametrize("field", ["v", "type"])
def test_a_state_and_an_answer_without_version_or_type_are_rejected(field: str) -> None:
    state = decode_workload(_without(json.loads(WORKLOAD.to_json()), field))
    answer = decode_answer(_without(json.loads(ANSWERS["ended"].to_json()), field))
    expected = Rejection(RejectReason.MISSING_FIELD, f"{field}: missing")
    assert (state, answer) == (expected, expected)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_taken_and_a_bad_one_is_rejected_by_its_field(name: str) -> None:
    answer = ANSWERS[name]
    assert decode_answer(answer.to_json()) == answer
    got = decode_answer(json.dumps({**json.loads(answer.to_json()), "session": 3}).encode())
    assert isinstance(got, Rejection)
    assert got.message.startswith("session: Input should be")


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_no_answer_and_no_state(name: str) -> None:
    _, event = EVENTS[name]
    for got in (decode_answer(event.to_json()), decode_workload(event.to_json())):
        assert isinstance(got, Rejection)
        assert got.reason is RejectReason.UNKNOWN_TYPE
