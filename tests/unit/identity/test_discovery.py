"""Keys that issuers publish, from a server on loopback: fetched, kept while nobody answers, and never waited for."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from schemas.credentials import Credential, CredentialReason, JwtCredential
from schemas.identity import Identity, JwtIdentity
from services.identity.core.bundle import Issuer, TrustBundle
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import verify
from services.identity.discovery import LARGEST, Discovery, DiscoveryError, keys_place
from tests.support.notary import NOW, SESSION, TokenSigner
from tests.support.publisher import Publisher

CORP = TokenSigner()


def _proves(publisher: Publisher, bundle: TrustBundle, name: str = "corp") -> Accepted | Refusal:
    """Say what a token of this issuer proves."""
    shown = Credential(jwt=JwtCredential(issuer=name, token=CORP.token(iss=publisher.url)))
    return verify(bundle, shown, Identity(jwt=JwtIdentity(issuer=name, subject="ann")), NOW, SESSION)


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with Publisher(CORP.jwk) as publisher:
        yield publisher


def _refused(found: Accepted | Refusal) -> CredentialReason:
    assert isinstance(found, Refusal), found
    return found.reason


async def test_the_keys_an_issuer_publishes_verify_its_tokens(publisher: Publisher) -> None:
    bundle = TrustBundle(issuers=(publisher.issuer(),))
    assert _refused(_proves(publisher, bundle)) is CredentialReason.KEYS_UNAVAILABLE
    completed = await Discovery().complete(bundle)
    assert isinstance(_proves(publisher, completed), Accepted)
    assert completed.digest != bundle.digest


async def test_nothing_but_public_parts_of_keys_is_taken(publisher: Publisher) -> None:
    publisher.keys = {"keys": [CORP.jwk | {"d": "secret", "p": "secret", "x5c": ["long"], "n": 7}]}
    completed = await Discovery().complete(TrustBundle(issuers=(publisher.issuer(),)))
    assert [set(key) for key in completed.issuers[0].keys] == [{"kty", "crv", "x", "y", "kid"}]


async def test_keys_in_another_order_are_the_same_bundle(publisher: Publisher) -> None:
    other = TokenSigner("b", kid="key-0").jwk
    digests = set()
    for keys in ([CORP.jwk, other], [other, CORP.jwk]):
        publisher.keys = {"keys": keys}
        digests.add((await Discovery().complete(TrustBundle(issuers=(publisher.issuer(),)))).digest)
    assert len(digests) == 1


async def test_what_the_operator_wrote_stands_before_what_is_published(publisher: Publisher) -> None:
    publisher.keys = {"keys": [TokenSigner("impostor").jwk]}
    completed = await Discovery().complete(TrustBundle(issuers=(publisher.issuer(keys=(CORP.jwk,)),)))
    assert len(completed.issuers[0].keys) == 2
    assert isinstance(_proves(publisher, completed), Accepted)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "it answers with an error": ({"status": 503}, "/.well-known/openid-configuration answers 503"),
    "its keys are an error": ({"keys_status": 404}, "/keys answers 404"),
    "it answers with something else than 200": ({"status": 203}, "/.well-known/openid-configuration answers 203"),
    "its configuration is elsewhere": (
        {"status": 302},
        "configuration answers 302, and names '/moved/.well-known/openid-configuration': redirections are not followed",
    ),
    "its keys are elsewhere": (
        {"keys_status": 307},
        "/keys answers 307, and names '/moved/keys': redirections",
    ),
    "it is another issuer": ({"says": {"issuer": "https://other.invalid"}}, "is of the issuer 'https://other.invalid'"),
    "it names no place of keys": ({"says": {"jwks_uri": None}}, "has no jwks_uri"),
    "its keys are no JSON": ({"keys": "<html>"}, "expected value"),
    "its keys are a list": ({"keys": []}, "is not a JSON object"),
    "it has no list of keys": ({"keys": {"keys": 1}}, "has no list of keys"),
    "a key is no object": ({"keys": {"keys": [1]}}, "has no list of keys"),
    "a key is no text": ({"keys": '{"keys": [{"kid": "\\ud800"}]}'}, "hex escape"),
    "its keys are nested without end": ({"keys": "[" * 100_000}, "recursion"),
    "its keys have no end": ({"keys": " " * (LARGEST + 1)}, f"has more than {LARGEST} bytes"),
}


@pytest.mark.parametrize("name", BAD)
async def test_an_issuer_that_does_not_say_what_it_should_is_told_and_its_tokens_refused_as_such(
    name: str, publisher: Publisher
) -> None:
    changed, words = BAD[name]
    vars(publisher).update(changed)
    with structlog.testing.capture_logs() as told:
        completed = await Discovery().complete(TrustBundle(issuers=(publisher.issuer(),)))
    assert _refused(_proves(publisher, completed)) is CredentialReason.KEYS_UNAVAILABLE
    assert [(line["log_level"], line["issuer"]) for line in told] == [("warning", "corp")]
    assert words in told[0]["cause"]


async def test_an_issuer_that_nobody_can_reach_leaves_the_others_and_is_asked_again(publisher: Publisher) -> None:
    dead = Issuer(name="dead", issuer="http://127.0.0.1:9", discovery=True)
    bundle = TrustBundle(issuers=(dead, publisher.issuer()))
    discovery = Discovery(retry_s=0)
    with structlog.testing.capture_logs() as told:
        for _ in range(2):
            assert isinstance(_proves(publisher, await discovery.complete(bundle)), Accepted)
    assert [line["issuer"] for line in told] == ["dead", "dead"]


async def test_an_issuer_that_never_answers_is_not_waited_for(publisher: Publisher) -> None:
    async with Publisher(CORP.jwk) as slow:
        slow.open.clear()
        bundle = TrustBundle(issuers=(slow.issuer("slow"), publisher.issuer()))
        discovery = Discovery(patience_s=0.2)
        completed = await discovery.complete(bundle)
        assert isinstance(_proves(publisher, completed), Accepted)
        assert _refused(_proves(slow, completed, "slow")) is CredentialReason.KEYS_UNAVAILABLE
        slow.open.set()
        completed = await Discovery().complete(bundle)
        assert isinstance(_proves(slow, completed, "slow"), Accepted)
        await discovery.complete(bundle)


async def test_keys_that_were_fetched_once_stay_while_the_issuer_is_away(publisher: Publisher) -> None:
    bundle = TrustBundle(issuers=(publisher.issuer(),))
    discovery = Discovery(retry_s=0)
    before = await discovery.complete(bundle)
    discovery._due.clear()
    publisher.status = 500
    with structlog.testing.capture_logs() as told:
        after = await discovery.complete(bundle)
    assert after.digest == before.digest
    assert told[0]["known"] == 1


async def test_a_key_that_an_issuer_withdraws_verifies_nothing_after_the_next_fetch(publisher: Publisher) -> None:
    bundle = TrustBundle(issuers=(publisher.issuer(),))
    discovery = Discovery()
    await discovery.complete(bundle)
    publisher.keys = {"keys": [TokenSigner("next", kid="key-2").jwk]}
    discovery._due.clear()
    completed = await discovery.complete(bundle)
    assert _refused(_proves(publisher, completed)) is CredentialReason.UNKNOWN_KEY


def test_keys_of_an_issuer_with_tls_never_come_without_it() -> None:
    corp = "https://corp.invalid"
    assert keys_place(corp, {"issuer": corp, "jwks_uri": "https://keys.invalid/corp"}) == "https://keys.invalid/corp"
    with pytest.raises(DiscoveryError, match="over TLS or not at all"):
        keys_place(corp, {"issuer": corp, "jwks_uri": "http://keys.invalid/corp"})


async def test_a_bundle_whose_issuers_publish_nothing_is_left_as_it_is() -> None:
    bundle = TrustBundle(issuers=(CORP.issuer(),))
    assert await Discovery().complete(bundle) is bundle
