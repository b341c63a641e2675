"""Whatever address or credential is planted in a log, a redacted recording of it does not have it."""

import json
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Address, AddressType, Connect, Disconnect, Host, Override, OverrideAction, WorkloadReport
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from services.processor.core.record import Appended, Record
from services.processor.core.rules import Rules
from services.replay.chunks import Chunk
from services.replay.frames import frames
from services.replay.lines import Headed, headers_of
from services.replay.recording import Header, Range, RecordedTopic, Tally
from services.replay.redaction import Redactor
from services.replay.refold import Refold, Transition
from services.replay.tape import Writer
from tests.support.logs import introduction, key, session

REDACTOR = Redactor(b"k" * 32)
BEFORE = ("", " ", "(", "[", "=", ",", "host-", "addr:", "_", "a.", "https://", "dial tcp ", '"')
AFTER = ("", " ", ":", "/24", "]", ",", ".ec2.internal", ".", "%eth0", '"', ")")

octets = st.lists(st.integers(10, 255), min_size=4, max_size=4).map(bytes)


def of_v4(raw: bytes) -> list[str]:
    numbers = list(raw)
    plain = str(IPv4Address(raw))
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + raw)
    return [
        plain,
        ".".join(f"{one:03}" for one in numbers),
        "ip-{}-{}-{}-{}".format(*numbers),
        "IP-{}-{}-{}-{}".format(*numbers),
        "{}-{}-{}-{}".format(*numbers),
        "{}_{}_{}_{}".format(*numbers),
        f"::ffff:{plain}",
        mapped.exploded,
    ]


def of_v6(raw: bytes) -> list[str]:
    address = IPv6Address(raw)
    return [address.compressed, address.exploded, address.compressed.upper()]


def of_mac(raw: bytes) -> list[str]:
    pairs = [f"{one:02x}" for one in raw]
    colons = ":".join(pairs)
    quads = ".".join("".join(pairs[at : at + 2]) for at in (0, 2, 4))
    return [colons, colons.upper(), "-".join(pairs), quads]


v6 = st.one_of(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=2, max_size=2).map(lambda raw: b"\x20\x01\x0d\xb8" + b"\0" * 10 + raw),
).filter(lambda raw: raw[:10] != b"\0" * 10)
spellings = st.one_of(
    octets.map(of_v4), v6.map(of_v6), st.binary(min_size=6, max_size=6).map(lambda raw: of_mac(b"\x0a\xbc" + raw[2:]))
)
passwords = st.text("abcdefghijkmnpqrstuvwxyzABCDEFGHJK23456789!$%*+._~-", min_size=12, max_size=30).map("Zq7".__add__)


def credential_forms(password: str) -> list[str]:
    return [
        f"https://admin:{password}@db.internal/x",
        f"amqp://admin:{password}@10.9.8.7:5672",
        f"dial admin:{password}@tcp(db)/x",
        f"DB_PASSWORD={password}",
        f"?X-Amz-Security-Token={password}&x=1",
        f'{{"apiKey": "{password}"}}',
        f"password: {password}",
        f"Authorization: Token {password}",
        f"Authorization: Bearer {password}",
    ]


def planted(words: str) -> list[Appended]:
    """Return a log that has these words wherever words may stand, but in names."""
    who = introduction(1)
    report = WorkloadReport(labels={"at": words, words: "x", "owner": words, "group": words, "type": words})
    host = Host(addresses=(Address(ip=words[:45].ljust(2), type=AddressType.VPC),))
    registration = who.registration.model_copy(update={"workload": report, "host": host})
    connect = Connect(session=session(1), seq=0, workload=who.model_copy(update={"registration": registration}))
    body = {"v": 1, "type": words, "x": [{"deep": [words]}], "session": words, "identity": words, "owner": words}
    values = [
        connect.to_json(),
        Disconnect(session=session(1), seq=5, reason=words[:200]).to_json(),
        Override(action=OverrideAction.RELEASE_BRAKE, who=words[:200], why=words).to_json(),
        json.dumps(body).encode(),
        json.dumps(body, indent=1).replace("0", "\\u0030").encode(),
        json.dumps(body).encode()[:-1] + b',"v":"' + words.replace('"', " ").encode() + b'","v":1}',
        json.dumps(words).encode(),
        b"\xff\xfe " + words.encode() + b" {",
        ("{" + words).encode(),
    ]
    keys = [CONTROL_KEY if number == 2 else key(1) for number in range(len(values))]
    return [Record(number, 0, keys[number], value) for number, value in enumerate(values)]


def recorded(records: list[Appended]) -> bytes:
    topic = RecordedTopic(name=EVENTS, partitions=1, ranges=(Range(partition=0, start=0, end=len(records)),))
    writer = Writer(Tally(Header(cluster="one", topics=(topic,), redacted=REDACTOR.fingerprint)))
    raw = writer.take(REDACTOR.chunk(Chunk(EVENTS, 0, records))) + writer.finish(complete=True)
    return b"".join(frame.lines for frame in frames([raw]))


def redacted(text: str) -> str:
    return (REDACTOR.record(Record(0, 0, key(1), text.encode())).value or b"").decode()


@given(spellings, st.sampled_from(BEFORE), st.sampled_from(AFTER), st.data())
@settings(max_examples=300, deadline=None)
def test_no_address_survives_in_any_spelling(forms: list[str], before: str, after: str, data: st.DataObject) -> None:
    written = data.draw(st.sampled_from(forms))
    if ":" in written and after == ":":
        after = ""  # another group of it, for all that anybody can tell
    told = recorded(planted(f"{before}{written}{after}")).decode().lower()
    for form in forms:
        assert form.lower() not in told
        assert json.dumps(form)[1:-1].replace("0", "\\u0030").lower() not in told


@given(spellings, st.data())
@settings(deadline=None)
def test_one_address_has_one_token_however_it_is_spelled(forms: list[str], data: st.DataObject) -> None:
    one, other = (data.draw(st.sampled_from(forms)) for _ in range(2))
    assert redacted(f"at {one} now") == redacted(f"at {other} now")
    assert redacted(f"at {one} now") != redacted("at 10.0.0.1 now")


@given(passwords, st.data())
@settings(max_examples=200, deadline=None)
def test_no_credential_survives_in_any_form(password: str, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(credential_forms(password)))
    assert password not in recorded(planted(form)).decode()


def test_the_name_of_a_host_hides_the_address_in_it_by_the_same_token() -> None:
    token = redacted("172.31.5.254")
    assert redacted("ip-172-31-5-254.ec2.internal") == f"{token}.ec2.internal"
    assert redacted("ec2-172-31-5-254.compute-1.amazonaws.com") == f"ec2-{token}.compute-1.amazonaws.com"


@pytest.mark.parametrize("password", [["p4"], {"is": "p4"}, 4711])
def test_what_is_named_a_secret_is_hidden_whatever_it_is(password: object) -> None:
    told = redacted(json.dumps({"password": password}))
    assert "p4" not in told
    assert "4711" not in told


def test_headers_are_redacted_too() -> None:
    headers = (("muster-replay-why", b"10.1.2.3 was away"), ("x-token", b"p4"), ("none", None))
    told = REDACTOR.record(Headed(0, 0, key(1), None, headers))
    assert headers_of(told)[0][1] == redacted("10.1.2.3 was away").encode()
    assert headers_of(told)[1][1] != b"p4"
    assert headers_of(told)[2] == ("none", None)


def test_what_a_record_is_about_stays_even_where_it_looks_like_an_address() -> None:
    """The fold compares key and body: a hidden group would make another log of it."""
    who = introduction(1, group="ip-10-1-2-3")
    connect = Connect(session=session(1), seq=0, workload=who).to_json()
    order = Override(action=OverrideAction.HOLD_REMOVALS, who="ann", why="10.1.2.3", scope="bookinfo/ip-10-1-2-3")
    raw = [Record(0, 0, who.key.to_bytes(), connect), Record(1, 0, CONTROL_KEY, order.to_json())]
    assert REDACTOR.record(raw[0]) == raw[0]
    assert json.loads(REDACTOR.record(raw[1]).value or b"")["scope"] == "bookinfo/ip-10-1-2-3"


@given(spellings, st.data())
@settings(max_examples=50, deadline=None)
def test_a_redacted_log_is_folded_as_it_was(forms: list[str], data: st.DataObject) -> None:
    records = planted(data.draw(st.sampled_from(forms)))

    def told(chunk: Chunk) -> list[tuple[object, ...]]:
        refold = Refold(Rules())
        happened = [one for one in refold.take(chunk) if isinstance(one, Transition)]
        rejected = dict(refold.standings[0].rejected)
        return [(one.place, one.key, one.before, one.state and one.state.presence) for one in happened] + [
            tuple(rejected.items())
        ]

    assert told(REDACTOR.chunk(Chunk(EVENTS, 0, records))) == told(Chunk(EVENTS, 0, records))
