import json
import time

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Rejection, decode_event
from schemas.credentials import StsRequest
from schemas.events import Address, AddressType, Connect, Host, RoleChecked
from schemas.message import instant
from schemas.names import CONTROL_KEY
from services.identity.core.verdict import Accepted
from services.identity.given import GivenBundles
from services.processor.core.record import Record
from services.replay.attestation import Attested, Attestor
from services.replay.redaction import Redactor
from tests.support.logs import Log, introduction, key, session
from tests.support.proofs import ProvenSession, credential, mint
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


def test_a_claimed_role_is_still_claimed_and_what_the_document_proved_is_known() -> None:
    """Who goes on with a session keeps its role only where it claims one: a replay is to decide the same."""
    who, at = introduction(1), int(time.time() * 1000)
    asked = StsRequest(url="https://sts.us-east-2.amazonaws.com/?X-Amz-Security-Token=secret")
    shown = credential(who.identity).model_copy(update={"iam_role": asked})
    record = Record(0, at, key(1), ProvenSession(who, session(1), shown=shown).connect().to_json())
    told = Redactor(b"k" * 32, Attestor([mint().bundle()])).record(record)
    assert b"secret" not in (told.value or b"")
    event = decode_event(told.key, told.value)
    assert isinstance(event, Connect)
    assert event.proof is not None
    hidden = event.proof.credential
    assert hidden.iam_role is not None
    found = Attested(GivenBundles(())).verify(mint().bundle().digest, hidden, who.identity, instant(at), session(1))
    assert isinstance(found, Accepted)
    assert found.identity == who.identity


def test_what_a_processor_signed_is_left_to_the_byte() -> None:
    told = RoleChecked(
        workload=key(1).decode(),
        session=session(1),
        asked=7,
        message="STS at http://10.0.0.1 is away",
        signature="c2ln",
        owner=session(2),
    )
    record = Record(0, 0, CONTROL_KEY, told.to_json())
    assert REDACTOR.record(record) == record
    assert REDACTOR.record(record._replace(value=told.model_copy(update={"signature": ""}).to_json())) != record


@given(st.binary(max_size=80))
def test_any_bytes_are_redacted_and_rejected_for_the_same_reason(value: bytes) -> None:
    before, after = decode_event(key(1), value), decode_event(key(1), redacted(value))
    assert isinstance(before, Rejection)
    assert isinstance(after, Rejection)
    assert before.reason == after.reason
