"""Requests that are not sent on to STS, one a row; and which of STS's answers is a role of which machine."""

import json
from contextlib import suppress
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.credentials import StsRequest
from services.identity.core.caller import AUDIENCE, Caller, NoRoleError, answer, belongs, question, request
from services.identity.core.caller import SESSION as OF
from tests.support.notary import NOW, SESSION
from tests.support.sts import KEYS, REGION, role_arn

GOOD = request(KEYS, REGION, "muster", SESSION, NOW)
OURS = ("muster", "roll")
INSTANCE = "i-1234567890abcdef0"
NAME = f"aws-aws-123456789012-us-east-2b-ec2-{INSTANCE}"


def test_our_own_request_may_be_sent_and_is_sent_as_it_was_signed() -> None:
    asked = question(GOOD, OURS, SESSION)
    assert asked.host == "sts.us-east-2.amazonaws.com"
    assert asked.headers == {AUDIENCE: "muster", OF: SESSION}
    assert sorted(asked.query.split("&")) == sorted(urlsplit(GOOD.url).query.split("&"))


def test_a_request_from_china_goes_to_the_sts_of_china() -> None:
    asked = question(request(KEYS, "cn-north-1", "muster", SESSION, NOW), OURS, SESSION)
    assert asked.host == "sts.cn-north-1.amazonaws.com.cn"


def test_keys_too_long_for_a_request_make_none() -> None:
    with pytest.raises(ValidationError):
        request(KEYS._replace(token="a" * 5000), REGION, "muster", SESSION, NOW)


def _changed(**changed: str | None) -> str:
    query = dict(parse_qsl(urlsplit(GOOD.url).query)) | changed
    told = {name: value for name, value in query.items() if value is not None}
    return f"https://sts.us-east-2.amazonaws.com/?{urlencode(told)}"


QUERY = urlsplit(GOOD.url).query
BAD: dict[str, tuple[str, str]] = {
    "another host": (f"https://evil.invalid/?{QUERY}", "not for STS"),
    "a host that begins like it": (f"https://sts.us-east-2.amazonaws.com.evil.invalid/?{QUERY}", "not for STS"),
    "another service": (f"https://s3.us-east-2.amazonaws.com/?{QUERY}", "not for STS"),
    "the machine's own metadata": (f"http://169.254.169.254/?{QUERY}", "not for STS"),
    "no TLS": (f"http://sts.us-east-2.amazonaws.com/?{QUERY}", "not for STS"),
    "somebody before the host": (f"https://sts.us-east-2.amazonaws.com@evil.invalid/?{QUERY}", "not for STS"),
    "a port": (f"https://sts.us-east-2.amazonaws.com:8443/?{QUERY}", "not for STS"),
    "a line break in the host": (
        f"https://sts.us-east-2.amazonaws.com\r\nX: y/?{QUERY}",
        "not for STS",
    ),
    "another path": (f"https://sts.us-east-2.amazonaws.com/x?{QUERY}", "not for STS"),
    "a fragment": (f"{GOOD.url}#x", "not for STS"),
    "no URL": ("https://[", "cannot be read"),
    "no query": ("https://sts.us-east-2.amazonaws.com/", "cannot be read|other parameters"),
    "another action": (_changed(Action="AssumeRole"), "no GetCallerIdentity"),
    "another version": (_changed(Version="2010-01-01"), "no GetCallerIdentity"),
    "a parameter more": (_changed(RoleArn="x"), "other parameters"),
    "a parameter twice": (f"{GOOD.url}&Action=AssumeRole", "other parameters"),
    "no signature": (_changed(**{"X-Amz-Signature": None}), "other parameters"),
    "another algorithm": (_changed(**{"X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256"}), "is to be signed"),
    "the audience is not signed": (_changed(**{"X-Amz-SignedHeaders": f"host;{OF}"}), "is to be signed"),
    "the session is not signed": (_changed(**{"X-Amz-SignedHeaders": f"host;{AUDIENCE}"}), "is to be signed"),
    "neither is signed": (_changed(**{"X-Amz-SignedHeaders": "host"}), "is to be signed"),
    "more is signed": (_changed(**{"X-Amz-SignedHeaders": f"host;x-k8s-aws-id;{AUDIENCE}"}), "is to be signed"),
    "valid for an hour": (_changed(**{"X-Amz-Expires": "3600"}), "at most 900 s"),
    "valid for ever": (_changed(**{"X-Amz-Expires": "-1"}), "at most 900 s"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_pre_signed_question_to_sts_is_not_sent(name: str) -> None:
    url, words = BAD[name]
    with pytest.raises(NoRoleError, match=words):
        question(GOOD.model_copy(update={"url": url}), OURS, SESSION)


THEIRS = "00000000-0000-4000-8000-00000000000f"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, f"expected {AUDIENCE} and {OF}"),
        ({AUDIENCE: "muster"}, f"expected {AUDIENCE} and {OF}"),
        ({OF: SESSION}, f"expected {AUDIENCE} and {OF}"),
        ({AUDIENCE: "vault", OF: SESSION}, "is for 'vault'; expected muster or roll"),
        ({AUDIENCE: "muster", OF: THEIRS}, f"is of the session '{THEIRS}', and was shown in {SESSION}"),
        ({AUDIENCE: "muster", OF: ""}, "is of the session ''"),
        ({AUDIENCE: "muster", OF: f"{SESSION}\r\nHost: evil.invalid"}, "is of the session"),
        ({AUDIENCE: "muster", OF: SESSION, "Host": "evil.invalid"}, f"expected {AUDIENCE} and {OF}"),
        ({AUDIENCE: "muster", OF: SESSION, "X-Muster-Audience": "muster"}, f"expected {AUDIENCE} and {OF}"),
        ({AUDIENCE: "muster", OF: SESSION, "Authorization": "x"}, f"expected {AUDIENCE} and {OF}"),
        ({"x-k8s-aws-id": "muster"}, f"expected {AUDIENCE} and {OF}"),
        ({AUDIENCE: "muster\r\nHost: evil.invalid", OF: SESSION}, "expected muster or roll"),
    ],
)
def test_headers_other_than_our_audience_and_the_session_are_not_sent(headers: dict[str, str], words: str) -> None:
    with pytest.raises(NoRoleError, match=words):
        question(GOOD.model_copy(update={"headers": headers}), OURS, SESSION)


URLS = st.text(max_size=200) | st.text(max_size=40).map(lambda text: GOOD.url + text)


@given(URLS, st.dictionaries(st.text(), st.text(), max_size=3))
def test_whatever_a_machine_shows_is_a_question_to_sts_or_none(url: str, headers: dict[str, str]) -> None:
    for shown in (StsRequest(url=url, headers=headers), GOOD.model_copy(update={"url": url})):
        with suppress(NoRoleError):
            assert question(shown, OURS, SESSION).host == "sts.us-east-2.amazonaws.com"


def _said(arn: object) -> bytes:
    return json.dumps({"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Arn": arn}}}).encode()


def test_an_answer_names_role_account_and_session() -> None:
    assert answer(_said(role_arn(INSTANCE))) == Caller("aws", "123456789012", "ratings", INSTANCE)


@pytest.mark.parametrize(
    "body",
    [
        _said("arn:aws:iam::123456789012:user/ann"),
        _said("arn:aws:iam::123456789012:root"),
        _said("arn:aws:sts::123456789012:federated-user/ann"),
        _said("arn:aws:sts::123456789012:assumed-role/a/b/c"),
        _said("arn:aws:sts::12345:assumed-role/a/bb"),
        _said(None),
        _said(["arn"]),
        b"",
        b"<xml/>",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_whoever_is_in_no_role_has_none(body: bytes) -> None:
    with pytest.raises(NoRoleError):
        answer(body)


@given(st.binary(max_size=200))
def test_any_answer_is_read_or_refused(body: bytes) -> None:
    with pytest.raises(NoRoleError):
        answer(body)


@pytest.mark.parametrize(
    ("caller", "its"),
    [
        (Caller("aws", "123456789012", "ratings", INSTANCE), True),
        (Caller("aws", "123456789012", "ratings", "i-0fedcba9876543210"), False),
        (Caller("aws", "123456789012", "ratings", INSTANCE[-4:]), False),
        (Caller("aws", "123456789012", "admin", "a-session"), False),
        (Caller("aws", "999999999999", "ratings", INSTANCE), False),
        (Caller("aws-cn", "123456789012", "ratings", INSTANCE), False),
    ],
)
def test_a_role_is_a_machines_own_only_in_its_account_and_under_its_instance_id(caller: Caller, *, its: bool) -> None:
    assert belongs(caller, NAME) is its


def test_nobody_but_an_ec2_machine_has_such_a_role() -> None:
    assert not belongs(Caller("aws", "123456789012", "ratings", INSTANCE), "jwt-corp--ann")
