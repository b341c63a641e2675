"""Which rejected records are attempts to join that people see and sessions hear of, and how much of them is read."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.attempts import Standing
from schemas.codec import MAX_EVENT_BYTES, Rejection, decode_event
from schemas.events import Connect, Disconnect, Heartbeat
from schemas.identity import Identity, JwtIdentity
from schemas.names import is_name
from schemas.registrations import RefusalReason
from schemas.rejected import Rejected, RejectReason
from services.sink.core.attempt import place_of, refusal_content
from services.sink.core.claim import MOST_KEY, Claim, Claimant, read
from services.sink.core.refusal import by_processor
from tests.support.registry import START, joiner, session

WHO = joiner(1)
KEY = WHO.key.to_bytes()
CONNECT = Connect(session=session(7), seq=0, workload=WHO)
Change = Callable[[dict[str, Any]], None]


def changed(change: Change) -> bytes:
    """Return a connect that somebody else wrote."""
    body = json.loads(CONNECT.to_json())
    change(body)
    return json.dumps(body).encode()


def put(*path: str, value: object) -> Change:
    def do(body: dict[str, Any]) -> None:
        for part in path[:-1]:
            body = body.setdefault(part, {})
        body[path[-1]] = value

    return do


def token(length: int) -> Change:
    chain = {"anchor": "0" * 64, "length": 8}
    credential = {"jwt": {"issuer": "corp", "token": "t" * length}}
    return put("proof", value={"credential": credential, "chain": chain})


def letter(key: bytes, value: bytes, reason: RejectReason) -> Rejected:
    return Rejected.model_construct(
        reason=reason,
        message="why",
        by="processor",
        topic="muster.events",
        partition=0,
        offset=5,
        timestamp=START,
        key=key,
        value=value,
    )


LONG = WHO.model_copy(update={"identity": Identity(jwt=JwtIdentity(issuer="corp", subject="a" * 250))})
FULL = Claimant.of(WHO)
BARE = FULL._replace(addresses=())
UNTYPED = BARE._replace(identity=None)

SHOWN: dict[str, tuple[bytes, bytes, RejectReason, Claimant]] = {
    "a subject too long for Kubernetes": (
        LONG.key.to_bytes(),
        Connect(session=session(7), seq=0, workload=LONG).to_json(),
        RejectReason.INVALID_NAME,
        Claimant.of(LONG),
    ),
    "a token of more than 16 KiB": (KEY, changed(token(16 * 1024 + 1)), RejectReason.INVALID_FIELD, FULL),
    "an event of more than 64 KiB": (KEY, changed(token(MAX_EVENT_BYTES)), RejectReason.OVERSIZE, FULL),
    "a version to come": (KEY, changed(put("v", value=2)), RejectReason.UNKNOWN_VERSION, FULL),
    "a type to come": (KEY, changed(put("type", value="rejoin")), RejectReason.UNKNOWN_TYPE, FULL),
    "no type": (KEY, changed(lambda body: body.pop("type")), RejectReason.MISSING_FIELD, FULL),
    "a label that is no text": (
        KEY,
        changed(put("workload", "registration", "workload", "labels", value={"version": 5})),
        RejectReason.INVALID_FIELD,
        FULL,
    ),
    "an address that is none": (
        KEY,
        changed(put("workload", "registration", "host", "addresses", value=[{"ip": 7, "type": "VPC"}])),
        RejectReason.INVALID_FIELD,
        BARE,
    ),
    "no registration": (
        KEY,
        changed(lambda body: body["workload"].pop("registration")),
        RejectReason.MISSING_FIELD,
        BARE,
    ),
    "no introduction": (KEY, changed(lambda body: body.pop("workload")), RejectReason.MISSING_FIELD, UNTYPED),
    "an introduction that is none": (KEY, changed(put("workload", value=7)), RejectReason.INVALID_FIELD, UNTYPED),
    "an account of eleven digits": (
        KEY,
        changed(put("workload", "identity", "aws", "account", value="12345678901")),
        RejectReason.INVALID_FIELD,
        FULL._replace(identity=None),
    ),
    "another machine's key": (
        joiner(2).key.to_bytes(),
        CONNECT.to_json(),
        RejectReason.KEY_MISMATCH,
        Claimant(joiner(2).key, None, FULL.addresses),
    ),
    "a heartbeat's introduction": (
        KEY,
        json.dumps({**json.loads(Heartbeat(session=session(7), seq=3, workload=WHO).to_json()), "link": "x"}).encode(),
        RejectReason.INVALID_FIELD,
        FULL,
    ),
}


@pytest.mark.parametrize(("key", "value", "reason", "who"), SHOWN.values(), ids=SHOWN.keys())
def test_what_the_processor_could_not_take_is_a_refusal_of_whom_its_key_names(
    key: bytes, value: bytes, reason: RejectReason, who: Claimant
) -> None:
    found = decode_event(key, value)
    assert isinstance(found, Rejection)
    assert found.reason == reason
    refusal = by_processor(letter(key, value, reason))
    assert refusal is not None
    assert (refusal.who, refusal.session) == (who, session(7))
    assert (refusal.reason, refusal.standing) == (RefusalReason.INVALID_EVENT, Standing.UNVERIFIED)
    assert refusal.message == f"{reason}: why"
    assert refusal.answer.message == refusal.message


def test_a_record_in_a_wrong_partition_is_a_refusal_as_well() -> None:
    refusal = by_processor(letter(KEY, CONNECT.to_json(), RejectReason.WRONG_PARTITION))
    assert refusal is not None
    assert (refusal.who, refusal.reason) == (FULL, RefusalReason.INVALID_EVENT)


UNSEEN: dict[str, tuple[bytes | None, bytes | None]] = {
    "no key": (None, CONNECT.to_json()),
    "the control key": (b"#roll-call", CONNECT.to_json()),
    "a key of two parts": (b"bookinfo/ratings", CONNECT.to_json()),
    "a key that is no text": (b"bookinfo/ratings/\xff", CONNECT.to_json()),
    "a key without end": (b"bookinfo/ratings/" + b"a" * MOST_KEY, CONNECT.to_json()),
    "no value": (KEY, None),
    "no JSON": (KEY, b"hello"),
    "JSON without end": (KEY, b"[" * 100_000),
    "no object": (KEY, b"[]"),
    "a session that is none": (KEY, changed(put("session", value="me"))),
    "a heartbeat": (KEY, Heartbeat(session=session(7), seq=3).to_json()),
    "a goodbye": (KEY, Disconnect(session=session(7), seq=3).to_json()),
}


@pytest.mark.parametrize(("key", "value"), UNSEEN.values(), ids=UNSEEN.keys())
def test_what_names_no_session_or_group_or_is_no_attempt_is_passed_over(key: bytes | None, value: bytes | None) -> None:
    assert read(key, value) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _set(path: tuple[str, ...], value: object) -> bytes:
    return changed(put(*path, value=value))


_bent = st.builds(
    _set,
    st.sampled_from(
        (
            ("type",),
            ("workload",),
            ("workload", "identity"),
            ("workload", "identity", "aws"),
            ("workload", "registration"),
            ("workload", "registration", "host"),
            ("proof",),
            ("anything",),
        )
    ),
    _json,
)
_keys = st.binary(max_size=80) | st.builds(
    lambda identity: f"bookinfo/ratings/{identity}".encode(), st.text(min_size=1, max_size=900)
)


@given(_keys | st.just(KEY), st.binary(max_size=200) | _bent)
def test_whatever_the_bytes_reading_ends_and_what_is_shown_is_what_kubernetes_takes(key: bytes, value: bytes) -> None:
    refusal = by_processor(letter(key, value, RejectReason.INVALID_FIELD))
    if refusal is None:
        return
    _, name = place_of(refusal)
    assert is_name(name), name
    assert len(name) <= 253
    content = refusal_content(refusal)
    assert (content.spec.identity is None) is (content.spec.claimed is not None)
    assert read(key, value) == Claim(refusal.who, refusal.session)
