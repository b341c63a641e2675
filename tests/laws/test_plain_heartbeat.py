"""The short way of decoding a heartbeat is only a shorter way: it says what the long way says, or nothing."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode_event, plain_heartbeat
from schemas.events import Heartbeat, Introduction
from tests.support.logs import introduction

WORKLOAD = introduction(1)
KEY = WORKLOAD.key.to_bytes()
_two = st.integers(0, 99).map("{:02}".format)
_moment = st.builds(
    "{}-{}-{}T{}:{}:{}{}{}".format,
    st.integers(0, 9999).map("{:04}".format) | st.sampled_from(("2024", "2026", "2100")),
    st.integers(0, 13).map("{:02}".format),
    st.integers(0, 32).map("{:02}".format),
    _two,
    _two,
    _two,
    st.sampled_from(("", ".", ".5", ".607813", ".6078131", ",5")),
    st.sampled_from(("Z", "", "z", "+01:00")),
)
_good_moment = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
_number = st.integers(-1, 2**65).map(str) | st.sampled_from(("007", "1.0", "1e3", '"1"', "true", "0"))
_raw = st.binary(min_size=32, max_size=32)
_link = st.text("0123456789abcdefABCDEFg ", min_size=63, max_size=65) | _raw.map(bytes.hex)
_session = st.uuids().map(str) | st.sampled_from(("", "00000000-0000-4000-8000-00000000000G", "0" * 36))
LINK = "0f" * 32
KNOWN = "00000000-0000-4000-8000-000000000001"


@settings(max_examples=1000)
@given(
    st.just(KNOWN) | _session,
    _number,
    _moment | _good_moment.map(lambda m: m.isoformat().replace("+00:00", "Z")) | st.none(),
    _link | st.none(),
)
def test_what_the_short_way_reads_the_long_way_reads_alike(
    session: str, seq: str, sent_at: str | None, link: str | None
) -> None:
    shown = f',"link":"{link}"' if link is not None else ""
    moment = f',"sentAt":"{sent_at}"' if sent_at is not None else ""
    value = f'{{"v":1,"type":"heartbeat","session":"{session}","seq":{seq}{shown}{moment}}}'.encode()
    short = plain_heartbeat(value, KNOWN)
    if short is not None:
        long = decode_event(KEY, value)
        assert isinstance(long, Heartbeat), long
        told = (long.seq, bytes.fromhex(long.link) if long.link else None, long.workload)
        assert long.session == KNOWN
        assert short == told


@given(
    session=st.uuids().map(str),
    seq=st.integers(0, 10**17),
    sent_at=_good_moment | st.none(),
    introduces=st.booleans(),
    linked=st.booleans(),
)
def test_what_our_agents_write_is_read_the_short_way(
    session: str, seq: int, sent_at: datetime | None, *, introduces: bool, linked: bool
) -> None:
    """But on the 29th of February, when it takes the long way."""
    workload = WORKLOAD if introduces else None
    value = Heartbeat(
        session=session, seq=seq, link=LINK if linked else None, workload=workload, sent_at=sent_at
    ).to_json()
    leap_day = sent_at is not None and (sent_at.month, sent_at.day) == (2, 29)
    told = workload.to_json() if workload else None
    assert plain_heartbeat(value, session) == (
        None if leap_day else (seq, bytes.fromhex(LINK) if linked else None, told)
    )
    assert plain_heartbeat(value, KNOWN) is None


@given(st.integers(0, 200), st.binary(max_size=3))
def test_an_introduction_is_taken_whole_or_not_at_all(place: int, junk: bytes) -> None:
    """Bytes put in anywhere make it another heartbeat, another introduction, or none: never the same one."""
    value = Heartbeat(session=KNOWN, seq=3, workload=WORKLOAD).to_json()
    short = plain_heartbeat(value[:place] + junk + value[place:], KNOWN)
    if short is not None and junk:
        assert short != (3, None, WORKLOAD.to_json())
    if short is not None and short[2] is not None and not junk:
        assert Introduction.model_validate_json(short[2]) == WORKLOAD
