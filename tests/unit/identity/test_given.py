"""The bundles a replay is given: a log that names another one is not judged at all."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.credentials import Credential
from schemas.events import RoleChecked
from services.identity.core.bundle import TrustBundle
from services.identity.core.verdict import Accepted, Refusal
from services.identity.given import GivenBundles, UnknownBundleError
from tests.support.notary import NOW, SESSION, Notary, document
from tests.unit.identity.test_documents import CLAIMED

OURS = TrustBundle(certificates=(Notary().certificate(),))
NOBODY = TrustBundle()
SHOWN = Credential(ec2=Notary().shows(document()))
KEY = Ed25519PrivateKey.generate()
CHECKED = RoleChecked(
    workload="a/b/c",
    session="00000000-0000-4000-8000-000000000001",
    account="123456789012",
    role="ratings",
    asked=7,
    owner="00000000-0000-4000-8000-000000000002",
)


def told(checked: RoleChecked, key: Ed25519PrivateKey = KEY) -> RoleChecked:
    """Return it as a processor with this key says it."""
    return checked.model_copy(update={"signature": base64.b64encode(key.sign(checked.statement(0))).decode()})


def knows(key: Ed25519PrivateKey) -> TrustBundle:
    """Return a bundle that believes a processor with this key."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return TrustBundle(processors=(base64.b64encode(raw).decode(),))


def _signed(given: GivenBundles, bundle: TrustBundle, checked: RoleChecked) -> bool:
    return given.vouched(given.keys(bundle.digest).processors, checked.statement(0), checked.signature)


def test_each_record_is_judged_by_the_bundle_that_the_log_names() -> None:
    given = GivenBundles([NOBODY, OURS])
    assert isinstance(given.verify(OURS.digest, SHOWN, CLAIMED, NOW, SESSION), Accepted)
    assert isinstance(given.verify(NOBODY.digest, SHOWN, CLAIMED, NOW, SESSION), Refusal)


def test_a_bundle_that_was_not_given_is_named_with_those_that_were() -> None:
    with pytest.raises(UnknownBundleError) as raised:
        GivenBundles([OURS]).verify(NOBODY.digest, SHOWN, CLAIMED, NOW, SESSION)
    assert str(raised.value) == (
        f"the log names the trust bundle {NOBODY.digest}; given: {OURS.digest}; add it with --bundle"
    )


def test_what_sts_said_counts_only_as_a_processor_of_the_bundle_signed_it() -> None:
    ours, other = knows(KEY), knows(Ed25519PrivateKey.generate())
    given = GivenBundles([ours, other])
    assert _signed(given, ours, told(CHECKED))
    assert not _signed(given, other, told(CHECKED))


@pytest.mark.parametrize(
    "changed",
    [
        {"workload": "a/b/d"},
        {"session": "00000000-0000-4000-8000-000000000003"},
        {"account": "999999999999"},
        {"role": "admin"},
        {"role": None},
        {"asked": 8},
        {"asked": None},
        {"answered": False},
        {"message": "but it did"},
        {"signature": ""},
        {"signature": "%"},
        {"signature": "AAAA"},
    ],
)
def test_what_was_altered_after_it_was_signed_does_not_count(changed: dict[str, object]) -> None:
    ours = knows(KEY)
    assert not _signed(GivenBundles([ours]), ours, told(CHECKED).model_copy(update=changed))
