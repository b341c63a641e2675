"""The mint: what it makes is verified by the code that verifies everybody, and by no bundle but its own."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.credentials import Credential, CredentialReason, JwtCredential
from schemas.identity import AwsIdentity, Ec2Instance, Identity, JwtIdentity
from services.identity.core.verdict import Accepted, Refusal
from services.identity.core.verifier import verify
from services.identity.issuing import NAME, Mint
from services.identity.loading import load
from services.runtime.config import ConfigError
from tests.support.notary import SESSION

INSTANCE = "i-1234567890abcdef0"


def _machine(zone: str) -> Identity:
    ec2 = Ec2Instance(instance_id=INSTANCE)
    return Identity(aws=AwsIdentity(partition="aws", account="123456789012", region=zone[:-1], zone=zone, ec2=ec2))


@pytest.fixture(scope="module")
def mint(tmp_path_factory: pytest.TempPathFactory) -> Mint:
    return Mint(tmp_path_factory.mktemp("mint"))


def test_its_machines_prove_who_they_are_to_its_bundle_and_to_no_other(mint: Mint) -> None:
    shown, now = Credential(ec2=mint.ec2(INSTANCE)), datetime.now(UTC)
    assert isinstance(verify(mint.bundle(), shown, _machine("us-east-2b"), now, SESSION), Accepted)
    found = verify(load(None), shown, _machine("us-east-2b"), now, SESSION)
    assert isinstance(found, Refusal)
    assert found.reason is CredentialReason.BAD_SIGNATURE


def test_it_is_believed_in_the_regions_of_its_bundle_only(mint: Mint) -> None:
    shown, claimed = Credential(ec2=mint.ec2(INSTANCE, zone="eu-west-1a")), _machine("eu-west-1a")
    assert isinstance(verify(mint.bundle(["eu-west-1"]), shown, claimed, datetime.now(UTC), SESSION), Accepted)
    assert isinstance(verify(mint.bundle(["us-east-2"]), shown, claimed, datetime.now(UTC), SESSION), Refusal)


def test_its_tokens_prove_their_subject_to_its_audience(mint: Mint) -> None:
    claimed = Identity(jwt=JwtIdentity(issuer=NAME, subject="ann"))
    shown = Credential(jwt=JwtCredential(issuer=NAME, token=mint.token("ann", {"team": "core"}, audience="roll")))
    found = verify(mint.bundle(audience="roll"), shown, claimed, datetime.now(UTC), SESSION)
    assert isinstance(found, Accepted)
    assert found.identity.jwt is not None
    assert found.identity.jwt.attributes == {"team": "core"}
    assert isinstance(verify(mint.bundle(), shown, claimed, datetime.now(UTC), SESSION), Refusal)


def test_a_mint_found_again_has_the_same_keys_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    first = Mint(tmp_path)
    assert Mint(tmp_path).bundle() == first.bundle()
    for file in tmp_path.glob("*.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(list(tmp_path.glob("*.key"))) == 3


def test_a_mint_that_lost_its_key_makes_another_and_a_certificate_for_it(tmp_path: Path) -> None:
    Mint(tmp_path)
    (tmp_path / "ec2.key").unlink()
    mint = Mint(tmp_path)
    shown = Credential(ec2=mint.ec2(INSTANCE))
    assert isinstance(verify(mint.bundle(), shown, _machine("us-east-2b"), datetime.now(UTC), SESSION), Accepted)


@pytest.mark.parametrize("name", ["ec2.key", "tokens.key", "processor.key", "ec2.pem"])
def test_what_is_no_key_is_named_with_what_to_do(name: str, tmp_path: Path) -> None:
    Mint(tmp_path)
    (tmp_path / name).write_text("no key")
    with pytest.raises(ConfigError, match=f"{name}: no .*remove it, and a new one is made"):
        Mint(tmp_path)


def test_its_bundle_as_a_file_is_read_as_any_bundle(mint: Mint, tmp_path: Path) -> None:
    bundle = mint.write_bundle(tmp_path / "trust.json", ["us-east-2", "eu-west-1"])
    assert load(tmp_path / "trust.json").digest == bundle.digest
    assert [file.name for file in tmp_path.iterdir()] == ["trust.json"]
