"""EC2 documents that prove nothing, one a row, each refused with its own reason code; and those that do."""

import base64
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from schemas.credentials import Credential, CredentialReason, Ec2Credential
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from services.identity.core.bundle import Ec2Method, TrustBundle
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import verify
from services.identity.loading import load, shipped
from tests.support.notary import DAY, NOW, SESSION, DsaNotary, Notary, document, segmented
from tests.support.tlv import EDITS, SEGMENTS, read

OURS, THEIRS = Notary(), Notary("theirs")
CLAIMED = Identity(
    aws=AwsIdentity(
        partition="aws",
        account="123456789012",
        region="us-east-2",
        zone="us-east-2b",
        ec2=Ec2Instance(instance_id="i-1234567890abcdef0"),
    )
)
EVERY = tuple(Ec2Method)
BUNDLE = TrustBundle(certificates=(*shipped(), *(OURS.certificate(method=one) for one in EVERY)), ec2_methods=EVERY)
R = CredentialReason


def _judged(shown: Ec2Credential, bundle: TrustBundle = BUNDLE, at: datetime = NOW) -> Accepted | Refusal:
    return verify(bundle, Credential(ec2=shown), CLAIMED, at, SESSION)


def _refused(found: Accepted | Refusal) -> CredentialReason:
    assert isinstance(found, Refusal), found
    assert found.message.isprintable()
    assert found.message
    return found.reason


@pytest.mark.parametrize("method", EVERY)
def test_a_document_with_a_good_signature_proves_the_machine_it_describes(method: Ec2Method) -> None:
    found = _judged(OURS.shows(document(), method=method))
    assert isinstance(found, Accepted), found
    assert found.identity == CLAIMED
    assert found.verified.method == f"ec2-{method.value}"
    pem = OURS.certificate().pem.encode()
    assert found.verified.key == "sha256:" + x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()
    assert (found.verified.bundle, found.verified.at) == (BUNDLE.digest, NOW)


def test_a_dsa_signature_of_the_older_regions_counts_for_pkcs7() -> None:
    bundle = BUNDLE.model_copy(update={"certificates": (DsaNotary().certificate(),)})
    shown = Ec2Credential(document=document(), pkcs7=DsaNotary().pkcs7(document()))
    found = _judged(shown, bundle)
    assert isinstance(found, Accepted), found
    assert found.verified.method == "ec2-pkcs7"


def test_a_dsa_certificate_is_added_as_a_file_beside_awss_own(tmp_path: Path) -> None:
    """What services/identity/certificates/README.md says to do for ``pkcs7``; without it such a signature is bad."""
    (tmp_path / "trust.yaml").write_text("ec2_methods: [rsa2048, pkcs7]")
    shown = Ec2Credential(document=document(), pkcs7=DsaNotary().pkcs7(document()))
    assert _refused(_judged(shown, load(tmp_path))) is R.BAD_SIGNATURE
    (tmp_path / "ec2" / "pkcs7").mkdir(parents=True)
    (tmp_path / "ec2" / "pkcs7" / "us-east-2.dsa.pem").write_text(DsaNotary().certificate().pem)
    bundle = load(tmp_path)
    assert len([one for one in bundle.certificates if (one.region, one.method.value) == ("us-east-2", "pkcs7")]) > 1
    found = _judged(shown, bundle)
    assert isinstance(found, Accepted), found
    assert found.verified.method == "ec2-pkcs7"


def test_a_signature_that_stands_apart_from_the_document_is_one_of_it_and_no_other() -> None:
    shown = Ec2Credential(document=document(), rsa2048=OURS.detached(document()))
    assert isinstance(_judged(shown), Accepted)
    other = document(instanceId="i-0fedcba9876543210")
    assert _refused(_judged(shown.model_copy(update={"document": other}))) is R.BAD_SIGNATURE


@pytest.mark.parametrize("length", [50, 100, 4096])
@pytest.mark.parametrize("padding", ["", "\n", "\n\n"])
def test_a_signature_in_the_form_that_aws_really_sends_counts(length: int, padding: str) -> None:
    """BER without lengths, the document in octet strings one after another: not what a DER signer writes."""
    text = OURS.segmented(document(), length)
    assert text.startswith("MIAG")
    assert b"\x24\x80\x04" in base64.b64decode(text)
    assert base64.b64decode(text).endswith(bytes(6))
    found = _judged(Ec2Credential(document=document(), rsa2048=text.rstrip("\n") + padding))
    assert isinstance(found, Accepted), found
    other = document(imageId="ami-0")
    assert _refused(_judged(Ec2Credential(document=other, rsa2048=text))) is R.BAD_SIGNATURE


def test_a_dsa_signature_in_that_form_counts_as_well() -> None:
    bundle = BUNDLE.model_copy(update={"certificates": (DsaNotary().certificate(),)})
    text = base64.b64encode(segmented(base64.b64decode(DsaNotary().pkcs7(document())))).decode()
    assert isinstance(_judged(Ec2Credential(document=document(), pkcs7=text), bundle), Accepted)


def test_a_certificate_for_weaker_signatures_does_not_count_for_the_best() -> None:
    bundle = TrustBundle(certificates=(OURS.certificate(method=Ec2Method.PKCS7),))
    assert _refused(_judged(OURS.shows(document()), bundle)) is R.UNKNOWN_ISSUER


def test_sha_1_is_not_enough_for_rsa2048() -> None:
    shown = Ec2Credential(document=document(), rsa2048=DsaNotary().pkcs7(document()))
    assert _refused(_judged(shown)) is R.ALGORITHM_NOT_ALLOWED


def test_the_best_signature_at_hand_is_the_one_that_counts() -> None:
    """A bad RSA-2048 signature is not made good by a weaker one beside it."""
    text = document()
    shown = Ec2Credential(document=text, rsa2048=THEIRS.rsa2048(text), signature=OURS.signature(text))
    assert _refused(_judged(shown)) is R.BAD_SIGNATURE


def _turned(character: str) -> str:
    """Return another character of the same kind, so that what is altered keeps its shape."""
    for first, last in ("09", "az", "AZ"):
        if first <= character <= last:
            return last if character == first else chr(ord(character) - 1)
    return "+"


SHAPED = {
    "instanceId": {R.MALFORMED},
    "availabilityZone": {R.MALFORMED},
    "region": {R.MALFORMED, R.UNKNOWN_ISSUER},
}
"""What an altered field may be refused for before its signature is looked at."""


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("field", json.loads(document()))
def test_an_altered_byte_in_any_field_of_the_document_proves_nothing(field: str, method: Ec2Method) -> None:
    """At each place of the field's value: where it still has its shape, it is the signature that is found bad."""
    value = json.loads(document())[field]
    signed = OURS.shows(document(), method=method)
    reasons = set()
    for place, character in enumerate(value):
        altered = document(**{field: value[:place] + _turned(character) + value[place + 1 :]})
        assert altered != document()
        reasons.add(_refused(_judged(signed.model_copy(update={"document": altered}))))
    assert R.BAD_SIGNATURE in reasons
    assert reasons <= {R.BAD_SIGNATURE} | SHAPED.get(field, set())


@pytest.mark.parametrize("method", EVERY)
def test_an_altered_byte_anywhere_in_the_signature_proves_nothing(method: Ec2Method) -> None:
    """Some bytes of PKCS#7 nobody signs: names of algorithms, versions. What is proven is then the same still."""
    raw = base64.b64decode("".join((getattr(OURS.shows(document(), method=method), method.value) or "").split()))
    for place in range(0, len(raw), 7):
        altered = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        told = {"document": document(), method.value: base64.b64encode(altered).decode()}
        found = _judged(Ec2Credential.model_validate(told))
        if isinstance(found, Accepted):
            assert method is not Ec2Method.SIGNATURE
            assert found.identity == CLAIMED
        else:
            assert _refused(found) in {R.BAD_SIGNATURE, R.MALFORMED, R.ALGORITHM_NOT_ALLOWED}


def _only(**changed: str | None) -> Ec2Credential:
    return OURS.shows(document(**changed))


_DIGEST = bytes.fromhex("06092a864886f70d010904")
"""The type of the attribute that says what was signed: 1.2.840.113549.1.9.4."""


def _digests(edit: str) -> Ec2Credential:
    """Return a good signature, but for the values of its attribute ``message_digest``."""
    root = read(base64.b64decode(OURS.rsa2048(document())))
    above, place = next(at for at in root.places() if at[0].inner[0].written() == _DIGEST and at[1] == 1)
    EDITS[edit](above.inner[place], 0) if edit == "doubled" else EDITS[edit](above, place)
    return Ec2Credential(document=document(), rsa2048=base64.b64encode(root.content()).decode())


def _deep(level: bytes, levels: int) -> Ec2Credential:
    """Return a signature whose content is open, and has this in it again and again."""
    der = base64.b64decode(OURS.segmented(document()))
    der = der[: der.index(bytes([SEGMENTS, 0x80]))] + level * levels
    return Ec2Credential(document=document(), rsa2048=base64.b64encode(der).decode())


BAD: dict[str, tuple[Callable[[], Ec2Credential], CredentialReason]] = {
    "signed with another key": (lambda: THEIRS.shows(document()), R.BAD_SIGNATURE),
    "no signature": (lambda: Ec2Credential(document=document()), R.METHOD_NOT_ACCEPTED),
    "signature is not base64": (lambda: Ec2Credential(document=document(), rsa2048="%%%"), R.MALFORMED),
    "signature is not PKCS#7": (lambda: Ec2Credential(document=document(), rsa2048="AAAA"), R.MALFORMED),
    "a bare one for PKCS#7": (
        lambda: Ec2Credential(document=document(), rsa2048=OURS.signature(document())),
        R.MALFORMED,
    ),
    "PKCS#7 for a bare one": (
        lambda: Ec2Credential(document=document(), signature=OURS.rsa2048(document())),
        R.BAD_SIGNATURE,
    ),
    "signature of another document": (
        lambda: OURS.shows(document(instanceId="i-0fedcba9876543210")).model_copy(update={"document": document()}),
        R.BAD_SIGNATURE,
    ),
    "signature around another document": (
        lambda: Ec2Credential(document=document(), rsa2048=OURS.around(document(), document(imageId="ami-0"))),
        R.BAD_SIGNATURE,
    ),
    "two signers": (lambda: Ec2Credential(document=document(), rsa2048=OURS.twice(document())), R.MALFORMED),
    "no digest of what is signed": (lambda: _digests("emptied"), R.BAD_SIGNATURE),
    "two digests of what is signed": (lambda: _digests("doubled"), R.BAD_SIGNATURE),
    "no room for a digest": (lambda: _digests("dropped"), R.MALFORMED),
    "segments in segments without end": (lambda: _deep(b"\x24\x80", 5000), R.MALFORMED),
    "sequences in sequences without end": (lambda: _deep(b"\x30\x80", 5000), R.MALFORMED),
    "signature with a stranger's character": (
        lambda: Ec2Credential(document=document(), signature="!" + OURS.signature(document())),
        R.MALFORMED,
    ),
    "not JSON": (lambda: OURS.shows("no document"), R.MALFORMED),
    "a JSON list": (lambda: OURS.shows("[1,2]"), R.MALFORMED),
    "half a surrogate pair": (
        lambda: OURS.shows(document()).model_copy(update={"document": document()[:-1] + "\ud800}"}),
        R.MALFORMED,
    ),
    "no account": (lambda: _only(accountId=None), R.MALFORMED),
    "an account of 11 digits": (lambda: _only(accountId="12345678901"), R.MALFORMED),
    "no instance": (lambda: _only(instanceId=None), R.MALFORMED),
    "an instance with a slash": (lambda: _only(instanceId="i-123456/../x"), R.MALFORMED),
    "no zone": (lambda: _only(availabilityZone=None), R.MALFORMED),
    "a zone that is no name": (lambda: _only(availabilityZone="us-east-2b\n"), R.MALFORMED),
    "no region": (lambda: _only(region=None), R.MALFORMED),
    "a region nobody knows": (lambda: _only(region="us-north-9"), R.UNKNOWN_ISSUER),
    "signed by the certificate of another region": (lambda: _only(region="eu-west-1"), R.BAD_SIGNATURE),
    "another machine's": (lambda: _only(instanceId="i-0fedcba9876543210"), R.IDENTITY_MISMATCH),
    "another account's": (lambda: _only(accountId="999999999999"), R.IDENTITY_MISMATCH),
    "another zone's": (lambda: _only(availabilityZone="us-east-2c"), R.IDENTITY_MISMATCH),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_refused_with_its_own_reason(name: str) -> None:
    make, reason = BAD[name]
    assert _refused(_judged(make())) is reason


@pytest.mark.parametrize("shown", EVERY)
@pytest.mark.parametrize("accepted", EVERY)
def test_a_kind_of_signature_that_is_not_accepted_does_not_count(shown: Ec2Method, accepted: Ec2Method) -> None:
    found = _judged(OURS.shows(document(), method=shown), BUNDLE.model_copy(update={"ec2_methods": (accepted,)}))
    if shown is accepted:
        assert isinstance(found, Accepted)
    else:
        assert _refused(found) is R.METHOD_NOT_ACCEPTED
        assert isinstance(found, Refusal)
        assert found.message == f"it has {shown.value}; accepted are {accepted.value}"


def test_out_of_the_box_only_rsa_2048_is_accepted() -> None:
    assert TrustBundle().ec2_methods == (Ec2Method.RSA2048,)


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (NOW - DAY, None),
        (NOW - DAY * 1.001, R.NOT_YET_VALID),
        (NOW + DAY, None),
        (NOW + DAY * 1.001, R.EXPIRED),
    ],
)
def test_a_certificate_counts_within_its_validity_at_the_broker_time(
    at: datetime, reason: CredentialReason | None, method: Ec2Method
) -> None:
    found = _judged(OURS.shows(document(), method=method), at=at)
    assert (None if isinstance(found, Accepted) else _refused(found)) is reason


@pytest.mark.parametrize("turned", [False, True])
def test_of_a_renewed_certificate_with_the_same_key_the_valid_one_counts(*, turned: bool) -> None:
    old, new = Notary(since=NOW - 9 * DAY, until=NOW - DAY), Notary(until=NOW + 9 * DAY)
    both = (new.certificate(), old.certificate())
    bundle = TrustBundle(certificates=both[::-1] if turned else both)
    assert isinstance(_judged(OURS.shows(document()), bundle), Accepted)


def test_a_region_with_two_keys_takes_documents_of_either() -> None:
    bundle = TrustBundle(certificates=(THEIRS.certificate(), OURS.certificate()))
    assert isinstance(_judged(OURS.shows(document()), bundle), Accepted)
    assert isinstance(_judged(THEIRS.shows(document()), bundle), Accepted)
    assert _refused(_judged(Notary("third").shows(document()), bundle)) is R.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("us-isob-east-1", "aws-iso-b")],
)
def test_the_partition_follows_from_the_region(region: str, partition: str) -> None:
    zone = f"{region}a"
    aws = AwsIdentity(
        partition=partition,
        account="123456789012",
        region=region,
        zone=zone,
        ec2=CLAIMED.aws.ec2 if CLAIMED.aws else None,
    )
    bundle = TrustBundle(certificates=(OURS.certificate(region),))
    shown = OURS.shows(document(region=region, availabilityZone=zone))
    found = verify(bundle, Credential(ec2=shown), Identity(aws=aws), NOW, SESSION)
    assert isinstance(found, Accepted), found
    assert found.identity.aws == aws


def test_awss_certificates_all_load_and_are_chosen_by_region() -> None:
    """With a certificate of AWS's for the region, somebody else's signature is bad; without one, nobody is known."""
    found = shipped()
    regions = {one.region for one in found}
    assert len(regions) > 30
    for one in found:
        key = x509.load_pem_x509_certificate(one.pem.encode()).public_key()
        expected = 2048 if one.method is Ec2Method.RSA2048 else 1024
        assert key.key_size == expected  # type: ignore[union-attr]  # all of them are RSA
    bundle = TrustBundle(certificates=found)
    for region in regions:
        shown = OURS.shows(document(region=region, availabilityZone=f"{region}a"))
        refusal = _judged(shown, bundle)
        assert _refused(refusal) is R.BAD_SIGNATURE, region
        others = tuple(one for one in found if one.region != region)
        assert _refused(_judged(shown, TrustBundle(certificates=others))) is R.UNKNOWN_ISSUER
