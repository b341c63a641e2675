"""Decoding is total: whatever the bytes, a message or a rejection, never an exception."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Rejection, decode_answer, decode_event, decode_workload
from schemas.events import Connect, Disconnect, Heartbeat, Override, Resumed, Tick
from schemas.message import Message
from schemas.names import parse_key
from tests.unit.schemas.messages import ALL, KEY

RAW = [message.to_json() for message in ALL]
EVENT_TYPES = (Connect, Heartbeat, Disconnect, Tick, Resumed, Override)
KEYS = st.none() | st.binary(max_size=60) | st.just(KEY)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["connect", "registered", 1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _decode_all(key: bytes | None, value: bytes) -> None:
    event = decode_event(key, value)
    assert isinstance(event, (*EVENT_TYPES, Rejection))
    for got in (event, decode_workload(value), decode_answer(value)):
        if isinstance(got, Rejection):
            assert got.message
            got.message.encode()
        else:
            assert isinstance(got, Message)
            assert type(got).model_validate_json(got.to_json()) == got


@given(KEYS, st.binary(max_size=200))
def test_any_bytes_are_decoded_or_rejected(key: bytes | None, value: bytes) -> None:
    _decode_all(key, value)


@given(KEYS, ODD)
def test_any_json_is_decoded_or_rejected(key: bytes | None, body: object) -> None:
    _decode_all(key, json.dumps(body).encode())


@given(KEYS, st.sampled_from(RAW), st.data())
def test_a_message_with_damaged_bytes_is_decoded_or_rejected(
    key: bytes | None, raw: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(raw)
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    _decode_all(key, bytes(damaged[: data.draw(st.integers(1, len(raw)))]))


def _places(body: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - any JSON
    """Return every (container, key or index) inside ``body``."""
    if not isinstance(body, dict | list):
        return []
    here = list(body) if isinstance(body, dict) else list(range(len(body)))
    return [(body, key) for key in here] + [place for key in here for place in _places(body[key])]


@given(KEYS, st.sampled_from(RAW), st.data(), ODD)
def test_a_message_with_one_odd_or_missing_value_is_decoded_or_rejected(
    key: bytes | None, raw: bytes, data: st.DataObject, odd: object
) -> None:
    body = json.loads(raw)
    container, place = data.draw(st.sampled_from(_places(body)))
    if data.draw(st.booleans()):
        del container[place]
    else:
        container[place] = odd
    _decode_all(key, json.dumps(body).encode())


@given(st.binary(max_size=80))
def test_any_key_is_parsed_or_not_and_comes_back(raw: bytes) -> None:
    key = parse_key(raw)
    assert key is None or key.to_bytes() == raw
