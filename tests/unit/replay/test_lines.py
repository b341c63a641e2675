import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.processor.core.record import Record
from services.replay.lines import Headed, LineError, from_line, to_line
from tests.support.logs import Log

_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()), st.lists
)
_values = st.one_of(
    st.none(),
    st.binary(),
    st.text().map(str.encode),
    st.dictionaries(st.text(), _json).map(lambda found: json.dumps(found).encode()),
    st.dictionaries(st.text(), _json).map(lambda found: json.dumps(found, separators=(",", ":")).encode()),
    st.just(b'{"a":1,"a":2}'),
    st.just(b'{"a":"\xed\xa0\x80"}'),
    st.just(b'{"a":"\\ud800"}'),
)


@given(st.integers(0, 2**63 - 1), st.integers(-(2**63), 2**63 - 1), _values, _values)
def test_every_record_comes_back_from_its_line_to_the_byte(
    offset: int, timestamp: int, key: bytes | None, value: bytes | None
) -> None:
    record = Record(offset, timestamp, key, value)
    line = to_line("muster.events", 3, record)
    assert b"\n" not in line
    assert from_line(line) == ("muster.events", 3, record)


@given(st.lists(st.tuples(st.text(), st.none() | st.binary()), min_size=1))
def test_headers_come_back_with_their_record_and_stand_nowhere_else(headers: list[tuple[str, bytes | None]]) -> None:
    record = Headed(1, 0, b"k", b"{}", tuple(headers))
    assert from_line(to_line("muster.workloads", 3, record)).record == record
    assert b"headers" not in to_line("muster.workloads", 3, Record(1, 0, b"k", b"{}"))


def test_an_event_stands_in_its_line_as_json() -> None:
    log = Log()
    log.connect(1)
    fields = json.loads(to_line("muster.events", 0, log.records[0]))
    assert fields["value"]["type"] == "connect"
    assert fields["time"] == "2023-11-14T22:13:20.000Z"


def test_kcats_lines_are_read_too() -> None:
    kcat = b'{"topic":"t","partition":1,"offset":7,"tstype":"logappend","ts":1700000000000,"key":"k","payload":"{}"}'
    assert from_line(kcat) == ("t", 1, Record(7, 1_700_000_000_000, b"k", b"{}"))
    headed = from_line(kcat[:-1] + b',"headers":["a","b","c",null]}').record
    assert headed == Headed(7, 1_700_000_000_000, b"k", b"{}", (("a", b"b"), ("c", None)))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"topic":"t","partition":0,"offset":0}', "no field 'ts'"),
        (b'{"topic":"t","partition":0,"offset":-1,"time":0}', "whole numbers"),
        (b'{"topic":"t","partition":0,"offset":0,"time":"yesterday"}', "RFC 3339"),
        (b'{"topic":"t","partition":0,"offset":0,"time":"2026-11-23T03:12:00"}', "no zone"),
        (b'{"topic":"t","partition":0,"offset":0,"time":0,"value64":"?"}', "not base64"),
        (b'{"topic":"t","partition":0,"offset":0,"time":0,"value":7}', "must be a text"),
        (b'{"topic":"t","partition":0,"offset":0,"time":0,"headers":[{"value":"x"}]}', "each with name and value"),
        (b'{"topic":"t","partition":0,"offset":0,"time":0,"headers":["a"]}', "each with name and value"),
        (b'{"topic":"t","partition":0,"offset":0,"time":0,"headers":7}', "each with name and value"),
    ],
)
def test_what_is_no_record_is_told_with_what_was_expected(line: bytes, words: str) -> None:
    with pytest.raises(LineError, match=words):
        from_line(line)
