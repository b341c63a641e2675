"""Decoding and verifying are total: whatever the bytes, what was proven or a refusal, never an exception."""

import base64
import json
from types import ModuleType
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_event
from schemas.credentials import (
    Chain,
    Credential,
    CredentialReason,
    Ec2Credential,
    JwtCredential,
    Proof,
    TokenCredential,
)
from schemas.events import AgentSoftware, Connect, Heartbeat, Introduction, Registration
from schemas.identity import Identity
from services.identity.core import ec2, tokens
from services.identity.core.bundle import Ec2Method, IssuerKind, TrustBundle
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import verify
from tests.support.notary import NOW, SESSION, DsaNotary, Notary, TokenSigner, document
from tests.support.tlv import EDITS, Node, read
from tests.unit.identity.test_documents import CLAIMED
from tests.unit.identity.test_issued import BUNDLE as ISSUERS
from tests.unit.identity.test_issued import CLAIMS, CORP, IDENTITIES, SIGNERS

BUNDLE = ISSUERS.model_copy(
    update={
        "ec2_methods": tuple(Ec2Method),
        "certificates": (*(Notary().certificate(method=one) for one in Ec2Method), DsaNotary().certificate()),
    }
)
TEXT = document()
BY_NAME = {IssuerKind.JWT, IssuerKind.ECS}
SHOWN: list[tuple[Credential, Identity]] = [
    *((Credential(ec2=Notary().shows(TEXT, method=one)), CLAIMED) for one in Ec2Method),
    (Credential(ec2=Ec2Credential(document=TEXT, pkcs7=DsaNotary().pkcs7(TEXT))), CLAIMED),
    *(
        (
            Credential(jwt=JwtCredential(issuer=SIGNERS[kind].name, token=SIGNERS[kind].token(**CLAIMS[kind])))
            if kind in BY_NAME
            else Credential.model_validate({kind.value: TokenCredential(token=SIGNERS[kind].token(**CLAIMS[kind]))}),
            IDENTITIES[kind],
        )
        for kind in IssuerKind
    ),
]


def _connect(shown: Credential, identity: Identity) -> tuple[bytes, bytes]:
    software = Registration(agent=AgentSoftware(version="v1"))
    introduction = Introduction(namespace="bookinfo", group="ratings", identity=identity, registration=software)
    proof = Proof(credential=shown, chain=Chain(anchor="0" * 64))
    connect = Connect(session="00000000-0000-4000-8000-000000000001", seq=0, workload=introduction, proof=proof)
    return introduction.key.to_bytes(), connect.to_json()


EVENTS = [_connect(*one) for one in SHOWN]
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _judged(shown: Credential, claimed: Identity) -> Accepted | Refusal:
    found = verify(BUNDLE, shown, claimed, NOW, SESSION)
    assert isinstance(found, Accepted | Refusal)
    if isinstance(found, Refusal):
        found.message.encode()
        assert found.message
        assert found.message.isprintable()
    else:
        assert found.identity.name == claimed.name
    return found


def _taken(key: bytes, value: bytes) -> None:
    event = decode_event(key, value)
    if isinstance(event, Connect | Heartbeat) and event.workload is not None and event.proof is not None:
        _judged(event.proof.credential, event.workload.identity)


def _damaged(raw: bytes, data: st.DataObject) -> bytes:
    """Return bytes with some replaced, a piece cut out, or a piece repeated."""
    damaged = bytearray(raw)
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(raw))] * 2)))
    match data.draw(st.integers(0, 3)):
        case 0:
            del damaged[first:last]
        case 1:
            damaged[first:first] = damaged[first : min(last, first + 64)]
        case _:
            pass
    return bytes(damaged)


def test_what_is_mutated_here_is_good_as_it_is() -> None:
    for shown, claimed in SHOWN:
        assert isinstance(_judged(shown, claimed), Accepted)


@given(st.sampled_from(EVENTS), st.data())
def test_a_damaged_event_is_taken_or_refused(event: tuple[bytes, bytes], data: st.DataObject) -> None:
    key, value = event
    _taken(key, _damaged(value, data))


def _places(body: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - any JSON
    if not isinstance(body, dict | list):
        return []
    here = list(body) if isinstance(body, dict) else list(range(len(body)))
    return [(body, key) for key in here] + [place for key in here for place in _places(body[key])]


@given(st.sampled_from(EVENTS), st.data(), ODD)
def test_an_event_with_one_odd_value_is_taken_or_refused(
    event: tuple[bytes, bytes], data: st.DataObject, odd: object
) -> None:
    key, value = event
    body = json.loads(value)
    container, place = data.draw(st.sampled_from(_places(body)))
    container[place] = odd
    _taken(key, json.dumps(body).encode())


@given(st.sampled_from([one for one in SHOWN if one[0].ec2 is not None]), st.data())
def test_a_damaged_signature_of_a_document_proves_what_it_proved_or_nothing(
    shown: tuple[Credential, Identity], data: st.DataObject
) -> None:
    """Whatever becomes of the bytes of PKCS#7: never is anybody else proven."""
    credential, claimed = shown
    told = credential.model_dump(exclude_none=True)["ec2"]
    method = next(name for name in told if name != "document")
    raw = _damaged(base64.b64decode("".join(told[method].split())), data) or b"x"
    damaged = Ec2Credential.model_validate({"document": TEXT, method: base64.b64encode(raw).decode()})
    found = verify(BUNDLE, Credential(ec2=damaged), claimed, NOW, SESSION)
    assert isinstance(found, Refusal) or found.identity == claimed


PKCS7: list[tuple[str, bytes]] = [
    ("rsa2048", base64.b64decode(Notary().rsa2048(TEXT))),
    ("rsa2048", base64.b64decode(Notary().detached(TEXT))),
    ("pkcs7", base64.b64decode(DsaNotary().pkcs7(TEXT))),
]


def _edited(method: str, tree: Node) -> None:
    """Whatever became of a good signature, it proves what it proved or nothing."""
    text = base64.b64encode(tree.content()).decode() or "AAAA"
    shown = Ec2Credential.model_validate({"document": TEXT, method: text[: 16 * 1024]})
    _judged(Credential(ec2=shown), CLAIMED)


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize(("method", "der"), PKCS7)
def test_one_edit_at_any_place_of_pkcs7_ends_in_a_verdict(method: str, der: bytes, edit: str) -> None:
    """Every node of the tree, one after another: well-formed DER that no signer writes and every parser reads."""
    for number in range(len(list(read(der).places()))):
        tree = read(der)
        EDITS[edit](*list(tree.places())[number])
        _edited(method, tree)


@given(
    st.sampled_from(PKCS7),
    st.lists(st.tuples(st.sampled_from(sorted(EDITS)), st.integers(0, 200)), min_size=2, max_size=4),
)
def test_several_edits_of_the_tree_of_pkcs7_end_in_a_verdict(
    signed: tuple[str, bytes], edits: list[tuple[str, int]]
) -> None:
    method, der = signed
    tree = read(der)
    for edit, number in edits:
        if places := list(tree.places()):
            EDITS[edit](*places[number % len(places)])
    _edited(method, tree)


@pytest.mark.parametrize("fault", [IndexError, RecursionError, OverflowError, AttributeError, AssertionError, OSError])
@pytest.mark.parametrize("kind", [ec2, tokens])
def test_a_fault_of_a_parser_that_nobody_thought_of_is_a_refusal(
    kind: ModuleType, fault: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one record, written by anybody, would end every owner of its partition for ever."""

    def broken(*_: object) -> None:
        raise fault("<object at 0x7f00>")

    for name in ("verify", "verify_jwt", "verify_gcp", "verify_azure"):
        monkeypatch.setattr(kind, name, broken, raising=False)
    for shown, claimed in SHOWN:
        if (shown.ec2 is not None) == (kind is ec2):
            found = _judged(shown, claimed)
            assert found == Refusal(CredentialReason.MALFORMED, f"it cannot be read: {fault.__name__}")


def test_a_process_without_memory_says_nothing_of_a_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ec2, "verify", exhausted)
    with pytest.raises(MemoryError):
        verify(BUNDLE, *SHOWN[0], NOW, SESSION)


@given(st.sampled_from([one for one in SHOWN if one[0].ec2 is not None]), st.data())
def test_a_damaged_document_proves_nothing(shown: tuple[Credential, Identity], data: st.DataObject) -> None:
    credential, claimed = shown
    text = _damaged(TEXT.encode(), data).decode("utf-8", "surrogateescape")
    assert credential.ec2 is not None
    damaged = credential.ec2.model_copy(update={"document": text})
    found = _judged(Credential(ec2=damaged), claimed)
    assert isinstance(found, Refusal) == (text != TEXT)


@given(st.sampled_from(list(IssuerKind)), st.data())
def test_a_damaged_token_proves_what_it_proved_or_nothing(kind: IssuerKind, data: st.DataObject) -> None:
    token = _damaged(SIGNERS[kind].token(**CLAIMS[kind]).encode(), data).decode("latin-1") or "x"
    shown: Any = TokenCredential.model_construct(token=token)
    if kind in BY_NAME:
        shown = JwtCredential.model_construct(issuer=SIGNERS[kind].name, token=token)
    field = "jwt" if kind in BY_NAME else kind.value
    found = verify(BUNDLE, Credential.model_construct(**{field: shown}), IDENTITIES[kind], NOW, SESSION)
    assert isinstance(found, Refusal) or found.identity == IDENTITIES[kind]


@given(st.sampled_from(list(IssuerKind)), st.data(), ODD)
def test_claims_that_an_issuer_signs_whatever_they_are_end_in_a_verdict(
    kind: IssuerKind, data: st.DataObject, odd: object
) -> None:
    signer = SIGNERS[kind]
    told = json.loads(json.dumps(CLAIMS[kind] | {"iss": signer.url, "sub": "ann", "aud": signer.audience}))
    told |= {"exp": NOW.timestamp() + 60, "nbf": NOW.timestamp(), "team": "core", "groups": ["a"]}
    container, place = data.draw(st.sampled_from(_places(told)))
    container[place] = odd
    _judged(*_of(kind, _signed(signer, {"alg": signer.algorithm, "kid": signer.kid}, told)))


@given(
    st.sampled_from(list(IssuerKind)),
    st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ", "jwk", "x5c"]), ODD),
)
def test_a_head_whatever_it_says_ends_in_a_verdict(kind: IssuerKind, odd: dict[str, Any]) -> None:
    signer = SIGNERS[kind]
    claims = CLAIMS[kind] | {"iss": signer.url, "sub": "ann", "aud": signer.audience, "exp": NOW.timestamp() + 60}
    _judged(*_of(kind, _signed(signer, {"alg": signer.algorithm, "kid": signer.kid} | odd, claims)))


def _signed(signer: TokenSigner, *parts: dict[str, Any]) -> str:
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    made = jwt.get_algorithm_by_name(signer.algorithm).sign(".".join(texts).encode(), signer.private)
    return ".".join((*texts, base64.urlsafe_b64encode(made).decode().rstrip("=")))


def _of(kind: IssuerKind, token: str) -> tuple[Credential, Identity]:
    if kind in BY_NAME:
        return Credential(jwt=JwtCredential(issuer=SIGNERS[kind].name, token=token)), IDENTITIES[kind]
    return Credential.model_validate({kind.value: TokenCredential(token=token)}), IDENTITIES[kind]


JWK = st.fixed_dictionaries(
    {"kid": st.just("key-1") | ODD},
    optional={
        "kty": st.sampled_from(["EC", "RSA", "OKP", "oct"]) | ODD,
        "crv": st.sampled_from(["P-256", "Ed25519"]) | ODD,
        "x": st.text() | ODD,
        "y": ODD,
        "n": st.text() | ODD,
        "e": ODD,
        "k": st.text(),
    },
)


@given(st.lists(JWK | st.dictionaries(st.text(), ODD), max_size=3))
def test_keys_whatever_an_issuer_publishes_end_in_a_verdict(keys: list[dict[str, Any]]) -> None:
    issuer = CORP.issuer().model_copy(update={"keys": tuple(keys)})
    bundle = TrustBundle().model_copy(update={"issuers": (issuer,)})
    assert isinstance(verify(bundle, *_of(IssuerKind.JWT, CORP.token()), NOW, SESSION), Refusal)
