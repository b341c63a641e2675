"""What a row takes little room for in memory is stored as it ever was."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.processor.core.packed import pack, unpack
from services.processor.core.rows import WorkloadRow, decode, encode

INTRODUCTION = (
    '{"namespace":"bookinfo","group":"ratings","identity":{"aws":{"partition":"aws","account":"123456789012",'
    '"region":"us-east-2","zone":"us-east-2b","ec2":{"instanceId":"i-0f3c9e1ab25d77e04"}}},"registration":{"agent":'
    '{"version":"v1.4.0"},"host":{"addresses":[{"ip":"10.1.0.5","type":"VPC"}]},"settings":{"connectedOver":"VPC"},'
    '"sidecar":{"istio":{"version":"1.9.8"}},"workload":{"labels":{"version":"v5"}}}}'
)
STORED = {
    "partition": 3,
    "workload": INTRODUCTION,
    "session": "6f0c7bde-56a2-4b71-9f0a-b8a8c6f9f0d1",
    "seq": 7,
    "presence": "connected",
    "reason": "AgentEstablishedConnection",
    "message": "",
    "since": 1700000000123,
    "revision": 41,
    "window": 9,
    "closed": False,
    "away": 0,
    "superseded": [],
    "verified": {
        "method": "ec2-rsa2048",
        "key": "sha256:" + "ab" * 32,
        "bundle": "sha256:" + "cd" * 32,
        "at": "2023-11-14T22:13:20.123000Z",
    },
    "chain": {"seq": 0, "anchor": "0e" * 32, "length": 4096, "window": 2, "before": "f7" * 32},
    "seated": None,
}
"""As version 0.2 stored it before its memory was counted."""


def test_a_row_is_stored_as_it_was_before_rows_were_packed_but_for_what_was_added_since() -> None:
    raw = json.dumps(STORED, separators=(",", ":")).encode()
    row = decode(b"a key", raw)
    assert isinstance(row, WorkloadRow)
    added = {"began": None, "answered": -1, "inherited": False}
    assert encode(row) == json.dumps(STORED | added, separators=(",", ":")).encode()
    assert (row.key, row.text().decode()) == (b"a key", INTRODUCTION)


def test_what_machines_say_alike_takes_a_quarter_of_the_room() -> None:
    assert len(pack(INTRODUCTION.encode())) < len(INTRODUCTION) / 4


@given(st.text())
def test_what_is_packed_comes_back_and_the_same_text_is_packed_the_same(text: str) -> None:
    packed = pack(text.encode())
    assert unpack(packed) == text.encode()
    assert packed == pack(text.encode())
