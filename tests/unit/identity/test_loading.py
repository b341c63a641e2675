"""Trust bundles that cannot be used: what is wrong, where, and what to do; and those that can."""

import json
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.identity.core import paths
from services.identity.core.bundle import Ec2Method, TrustBundle
from services.identity.core.keys import Keys
from services.identity.issuing import Mint
from services.identity.loading import BundleError, load, shipped
from tests.support.notary import Notary, TokenSigner

WORD = st.sampled_from(["a", "b", "n"])
ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.text(max_size=3))
CORP = TokenSigner()
RSA = TokenSigner("old", algorithm="RS256")


def _folder(tmp_path: Path, trust: object) -> Path:
    (tmp_path / "trust.yaml").write_text(trust if isinstance(trust, str) else yaml.safe_dump(trust))
    return tmp_path


def _issuer(**changed: object) -> dict[str, object]:
    told = {"name": "corp", "issuer": "https://corp.invalid", "algorithms": ["ES256"], "keys": [CORP.jwk]} | changed
    return {name: value for name, value in told.items() if value is not None}


def _fault(place: Path) -> str:
    with pytest.raises(BundleError) as raised:
        load(place)
    return str(raised.value)


def test_without_a_bundle_awss_certificates_are_believed_and_nobody_else() -> None:
    assert load(None) == TrustBundle(certificates=shipped())


def test_a_folder_is_what_it_says_and_awss_certificates(tmp_path: Path) -> None:
    (tmp_path / "corp.jwks").write_text(json.dumps({"keys": [CORP.jwk]}))
    issuers = [_issuer(keys=None, jwks="corp.jwks", attributes={"team": "$.team"})]
    folder = _folder(
        tmp_path, {"audiences": ["muster", "roll"], "ec2_methods": ["rsa2048", "pkcs7"], "issuers": issuers}
    )
    assert load(folder) == TrustBundle(
        audiences=("muster", "roll"),
        ec2_methods=(Ec2Method.RSA2048, Ec2Method.PKCS7),
        certificates=shipped(),
        issuers=(CORP.issuer(attributes={"team": "$.team"}),),
    )


def test_further_certificates_of_a_region_stand_beside_awss(tmp_path: Path) -> None:
    for method in Ec2Method:
        (tmp_path / "ec2" / method.value).mkdir(parents=True)
    (tmp_path / "ec2" / "rsa2048" / "us-east-2.mine.pem").write_text(Notary().certificate().pem)
    (tmp_path / "ec2" / "pkcs7" / "xx-new-1.pem").write_text(Notary().certificate().pem)
    found = load(_folder(tmp_path, {})).certificates
    assert found == (
        *shipped(),
        Notary().certificate("xx-new-1", Ec2Method.PKCS7),
        Notary().certificate(),
    )


def test_a_bundle_written_as_one_file_is_the_same_bundle(tmp_path: Path) -> None:
    bundle = Mint(tmp_path / "mint").write_bundle(tmp_path / "trust.json")
    found = load(tmp_path / "trust.json")
    assert found == bundle
    assert found.digest == bundle.digest


def test_the_digest_changes_with_whatever_verification_depends_on() -> None:
    base = TrustBundle(certificates=shipped(), issuers=(CORP.issuer(),))
    others = [
        base.model_copy(update=change)
        for change in (
            {"audiences": ("muster", "x")},
            {"ec2_methods": tuple(Ec2Method)},
            {"leeway_seconds": 31},
            {"certificates": base.certificates[1:]},
            {"issuers": (CORP.issuer(algorithms=("ES256", "RS256")),)},
            {"issuers": (CORP.issuer(attributes={"a": "$.a"}),)},
            {"issuers": (CORP.issuer(session_bound=False),)},
            {"issuers": (CORP.issuer(kind="ecs"),)},
            {"issuers": (CORP.issuer(kind="ecs", ecs={"role": "$.role"}),)},
            {"processors": ("AAAA",)},
            {"operators": ("AAAA",)},
            {"signed_control": True},
        )
    ]
    digests = {TrustBundle.model_validate(one.model_dump()).digest for one in (base, *others)}
    assert len(digests) == len(others) + 1
    assert all(digest.startswith("sha256:") for digest in digests)


def test_a_bundle_of_before_there_were_signed_records_is_called_as_it_was() -> None:
    told = json.dumps(TrustBundle().model_dump(mode="json", exclude={"operators", "signed_control"}), sort_keys=True)
    assert TrustBundle().digest == f"sha256:{sha256(told.replace(': ', ':').replace(', ', ',').encode()).hexdigest()}"


def test_a_folder_that_lists_processors_demands_what_they_say_to_be_signed(tmp_path: Path) -> None:
    key = "A" * 43 + "="
    for number, (told, signed) in enumerate((({}, True), ({"signed_control": False}, False))):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = load(_folder(folder, {"processors": [key], "operators": [key], **told}))
        assert found.keys == Keys((key,), (key,), control=signed)
    assert not load(_folder(tmp_path, {})).keys.control


def test_what_is_not_there_is_made_with_a_command_that_is_named(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert _fault(nowhere) == (
        f"{nowhere}: there is no such trust bundle; make one with: muster identity bundle init {nowhere}"
    )
    assert _fault(tmp_path) == (
        f"{tmp_path}/trust.yaml: missing; make one with: muster identity bundle init {tmp_path}"
    )


BAD: dict[str, tuple[object, str]] = {
    "not YAML": ("audiences: [", "trust.yaml: not YAML: while parsing"),
    "a list": ("- a", "trust.yaml: expected audiences, issuers and so on; found a list"),
    "a misspelt field": ({"audience": ["muster"]}, "trust.yaml: audience: Extra inputs are not permitted"),
    "no audience": ({"audiences": []}, "audiences: Tuple should have at least 1 item"),
    "an unknown method": ({"ec2_methods": ["dsa"]}, "ec2_methods.0: Input should be 'rsa2048', 'pkcs7' or 'signature'"),
    "a leeway of a day": ({"leeway_seconds": 86400}, "leeway_seconds: Input should be less than or equal to 600"),
    "issuers are no list": ({"issuers": "corp"}, "issuers: Input should be a valid"),
    "an issuer is a text": ({"issuers": ["corp"]}, "issuers.0: Input should be an object"),
    "a short name with two hyphens": ({"issuers": [_issuer(name="a--b")]}, "issuers.0.name: String should match"),
    "alg none": ({"issuers": [_issuer(algorithms=["none"])]}, "issuers.0.algorithms.0: Input should be 'RS256'"),
    "alg HS256": ({"issuers": [_issuer(algorithms=["HS256"])]}, "issuers.0.algorithms.0: Input should be 'RS256'"),
    "two of one name": ({"issuers": [_issuer(), _issuer()]}, "two issuers have the same name"),
    "a token bound that nobody can bind": (
        {"issuers": [_issuer(session_bound=True)]},
        "session_bound of corp: only tokens of kind gcp are asked for in a session",
    ),
    "places of a task in other tokens": (
        {"issuers": [_issuer(ecs={})]},
        "ecs of corp: it is of kind jwt; expected kind: ecs",
    ),
    "a place of a task that is no path": (
        {"issuers": [_issuer(kind="ecs", ecs={"cluster": "$["})]},
        "ecs.cluster of corp: $[: ",
    ),
    "a part of a task that there is not": (
        {"issuers": [_issuer(kind="ecs", ecs={"taskId": "$.task"})]},
        "issuers.0.ecs.taskId: Extra inputs are not permitted",
    ),
    "no keys": ({"issuers": [_issuer(keys=None)]}, "corp has neither keys nor jwks nor discovery: true"),
    "keys for another algorithm": (
        {"issuers": [_issuer(keys=[RSA.jwk])]},
        "none of the keys of corp is for ES256",
    ),
    "a private key": (
        {"issuers": [_issuer(keys=[CORP.jwk | {"d": "AAAA"}])]},
        "the keys of corp are not public: a trust bundle holds no secrets",
    ),
    "a shared secret": (
        {"issuers": [_issuer(keys=[{"kty": "oct", "k": "c2VjcmV0"}])]},
        "the keys of corp are not public: a trust bundle holds no secrets",
    ),
    "no JSONPath": ({"issuers": [_issuer(attributes={"team": "$["})]}, "attribute team of corp: $[: "),
    "a regular expression that is none": (
        {"issuers": [_issuer(attributes={"team": "$.a[?@ =~ /((/]"})]},
        "attribute team of corp: $.a[?@ =~ /((/]: missing ), unterminated subpattern",
    ),
    "a number beyond all floats": (
        {"issuers": [_issuer(attributes={"team": "$[?@.n > 1e400]"})]},
        "attribute team of corp: $[?@.n > 1e400]: cannot convert float infinity to integer",
    ),
    "lists in lists without end": ("[" * 100_000, "it cannot be read: RecursionError"),
    "what is in itself": ("audiences: &a [*a]", "it cannot be read: ValueError: Circular reference"),
    "a date that is none": ("audiences: 2026-99-99", "it cannot be read: ValueError: month must be in 1..12"),
    "a date as a name": ("2026-11-23: x", "it cannot be read: TypeError: keys must be str"),
    "a number of too many digits": (
        "leeway_seconds: " + "9" * 5000,
        "it cannot be read: ValueError: Exceeds",
    ),
    "no file of keys": ({"issuers": [_issuer(keys=None, jwks="corp.jwks")]}, "corp.jwks: No such file or directory"),
    "a processor's key that is none": ({"processors": ["AAAA"]}, "processors: AAAA is no Ed25519 public key in base64"),
    "an operator's key that is none": ({"operators": ["AAAA"]}, "operators: AAAA is no Ed25519 public key in base64"),
    "signatures of nobody": ({"signed_control": True}, "signed_control without processors: nobody could tell the time"),
    "a processor's key that is no base64": ({"processors": ["%"]}, "processors: % is no Ed25519 public key in base64"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_bundle_says_what_is_wrong_where(name: str, tmp_path: Path) -> None:
    trust, words = BAD[name]
    fault = _fault(_folder(tmp_path, trust))
    assert words in fault
    assert str(tmp_path) in fault


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "not JSON"), ("[]", "a JWKS has a list named keys"), ('{"keys": 1}', "a JWKS has a list named keys")],
)
def test_a_bad_file_of_keys_is_named(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "corp.jwks").write_text(content)
    folder = _folder(tmp_path, {"issuers": [_issuer(keys=None, jwks="corp.jwks")]})
    assert f"{tmp_path}/corp.jwks: {words}" in _fault(folder)


@given(st.text() | st.text(alphabet="[]{}:,&*!?|>-# \n'\"%@`ab0129.\\").map(lambda text: f"audiences: {text}"))
def test_whatever_is_written_into_a_bundle_it_is_one_or_broken(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, suppress(BundleError):
        file = Path(folder) / "trust.yaml"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        assert load(file.parent).audiences


PIECES = ["$", "..", "[?", "]", "@", "(", ")", ".a", "=~", "/", "[*]", "'", "==", " in ", " contains ", "1e400", ","]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=12).map("".join), st.dictionaries(WORD, ODD))
def test_whatever_is_written_as_a_path_it_is_one_or_told(path: str, claims: dict[str, object]) -> None:
    with suppress(paths.PathError):
        assert isinstance(paths.values(path, claims), list)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("rsa2048/us-east-2.pem", b"no certificate", "a certificate of us-east-2 (rsa2048): "),
        ("rsa2048/us-east-2.pem", b"\xff", "us-east-2.pem: not text"),
        ("rsa2048/Ohio.pem", b"", "Ohio.pem: a certificate is named after its region, like us-east-2.pem"),
        ("rsa-2048/us-east-2.pem", b"", "ec2/rsa-2048: expected folders named rsa2048, pkcs7, signature"),
    ],
)
def test_a_bad_file_of_a_certificate_is_named(file: str, content: bytes, words: str, tmp_path: Path) -> None:
    place = tmp_path / "ec2" / file
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert words in _fault(_folder(tmp_path, {}))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"certificates": [{"region": "x"}]}', "\x00"])
def test_a_bad_file_of_a_whole_bundle_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "trust.json").write_text(content)
    assert _fault(tmp_path / "trust.json").startswith(f"{tmp_path}/trust.json: ")
