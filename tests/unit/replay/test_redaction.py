import json

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Rejection, decode_event
from schemas.events import Address, AddressType, Connect, Host
from services.processor.core.record import Record
from services.replay.redaction import Redactor
from tests.support.logs import Log, introduction, key, session
from tests.unit.schemas.messages import WRITTEN

REDACTOR = Redactor(b"k" * 32)


def connect(*addresses: str) -> bytes:
    who = introduction(1)
    host = Host(addresses=tuple(Address(ip=ip, type=AddressType.VPC) for ip in addresses))
    who = who.model_copy(update={"registration": who.registration.model_copy(update={"host": host})})
    return Connect(session=session(1), seq=0, workload=who).to_json()


def redacted(value: bytes | None) -> bytes | None:
    return REDACTOR.record(Record(0, 0, key(1), value)).value


def test_an_address_becomes_the_same_token_wherever_it_stands() -> None:
    told = redacted(connect("172.31.5.254", "2001:db8::1")) or b""
    addresses = [one["ip"] for one in json.loads(told)["workload"]["registration"]["host"]["addresses"]]
    assert all(one.startswith("ip-") for one in addresses)
    assert len(set(addresses)) == 2
    assert redacted(b"dial 172.31.5.254: refused") == f"dial {addresses[0]}: refused".encode()
    assert redacted(b"at 2001:DB8:0::1.") == f"at {addresses[1]}.".encode()
    assert not isinstance(decode_event(key(1), told), Rejection)


def test_credentials_are_hidden_by_their_name_and_by_their_look() -> None:
    told = redacted(b'{"accessToken":"abc","x":{"password":"p"},"say":"Bearer eyJhbGci.eyJzdWIi.c2ln"}') or b""
    assert b"abc" not in told
    assert b'"p"' not in told
    assert b"eyJ" not in told


def test_another_key_makes_other_tokens_and_has_another_fingerprint() -> None:
    other = Redactor(b"o" * 32)
    record = Record(0, 0, key(1), connect("172.31.5.254"))
    assert other.record(record) != REDACTOR.record(record)
    assert other.fingerprint != REDACTOR.fingerprint


def test_what_holds_no_address_is_left_to_the_byte() -> None:
    log = Log()
    log.heartbeat(1)
    log.goodbye(1)
    log.tick()
    log.append(None, None)
    log.append(key(1), b"\xff 18:15:14 v1.9.8-15bc6e5e32 {")
    assert [REDACTOR.record(record) for record in log.records] == log.records


def test_what_the_sink_wrote_has_nothing_to_hide_but_names_which_stay() -> None:
    """Conditions are told without their messages, in which addresses stand."""
    assert redacted(WRITTEN.to_json()) == WRITTEN.to_json()


@given(st.binary(max_size=80))
def test_any_bytes_are_redacted_and_rejected_for_the_same_reason(value: bytes) -> None:
    before, after = decode_event(key(1), value), decode_event(key(1), redacted(value))
    assert isinstance(before, Rejection)
    assert isinstance(after, Rejection)
    assert before.reason == after.reason
