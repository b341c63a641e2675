"""A mint of identities for tests and development: keys of one's own, and the trust bundle that believes in them.

What it makes is verified by the same code as AWS's and the issuers' own; nothing has a switch for it. Who puts its
bundle into production trusts whoever has the mint's folder.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from schemas.credentials import Credential, Ec2Credential, JwtCredential
from schemas.identity import AwsIdentity, Ec2Instance, Identity, JwtIdentity
from schemas.message import Message
from services.identity.core.bundle import Certificate, Ec2Method, Issuer, TrustBundle
from services.identity.core.ec2 import REGION, partition_of
from services.identity.loading import shipped
from services.runtime.config import ConfigError

ISSUER = "https://mint.muster.invalid"
"""The claim ``iss`` of the mint's tokens; their issuer's short name is ``mint``."""
NAME = "mint"
KID = "mint-1"
_PEM = serialization.Encoding.PEM
_YEARS = timedelta(days=3650)


class Mint:
    """Keys, in a folder, and what is made with them."""

    def __init__(self, folder: Path) -> None:
        """Read the keys in ``folder``; make them where there are none. Raises ConfigError for what are no keys."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._ec2 = cast("rsa.RSAPrivateKey", _kept(folder / "ec2.key", lambda: rsa.generate_private_key(65537, 2048)))
        self._jwt = cast(
            "ec.EllipticCurvePrivateKey", _kept(folder / "tokens.key", lambda: ec.generate_private_key(ec.SECP256R1()))
        )
        self.processor = cast(
            "ed25519.Ed25519PrivateKey", _kept(self.processor_key, ed25519.Ed25519PrivateKey.generate)
        )
        self._cert = self._certificate(folder / "ec2.pem")

    @property
    def processor_key(self) -> Path:
        """Return the file of the processor's key, for ``trust.key``."""
        return self.folder / "processor.key"

    def _certificate(self, file: Path) -> x509.Certificate:
        """Return the certificate of the key for documents; make one where there is none, or that of another key."""
        if file.is_file():
            try:
                found = x509.load_pem_x509_certificate(file.read_bytes())
            except ValueError as cause:
                raise ConfigError(f"{file}: no certificate: {cause}; remove it, and a new one is made") from cause
            if found.public_key() == self._ec2.public_key():
                return found
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a Muster mint, for tests and development")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._ec2.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + _YEARS)
        made = builder.sign(self._ec2, hashes.SHA256())
        _written(file, made.public_bytes(_PEM))
        return made

    def bundle(
        self, regions: Sequence[str] = ("us-east-2",), audience: str = "muster", *, signed_control: bool = False
    ) -> TrustBundle:
        """Return the trust bundle that believes in this mint for these regions, and in AWS.

        ``signed_control``: time passes only by what ``processor.key`` signed.
        """
        pem = self._cert.public_bytes(_PEM).decode()
        own = tuple(Certificate(region=region, method=Ec2Method.RSA2048, pem=pem) for region in regions)
        jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._jwt.public_key())) | {"kid": KID, "use": "sig"}
        raw = self.processor.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        issuer = Issuer(name=NAME, issuer=ISSUER, algorithms=("ES256",), keys=(jwk,), attributes={"team": "$.team"})
        return TrustBundle(
            audiences=(audience,),
            certificates=(*shipped(), *own),
            issuers=(issuer,),
            processors=(base64.b64encode(raw).decode(),),
            signed_control=signed_control,
        )

    def write_bundle(
        self,
        file: Path,
        regions: Sequence[str] = ("us-east-2",),
        audience: str = "muster",
        *,
        signed_control: bool = False,
    ) -> TrustBundle:
        """Write that bundle as one file, whole or not at all."""
        bundle = self.bundle(regions, audience, signed_control=signed_control)
        _written(file, bundle.model_dump_json(indent=1).encode(), mode=0o644)
        return bundle

    def ec2(
        self, instance_id: str, zone: str = "us-east-2b", account: str = "123456789012", ip: str = ""
    ) -> Ec2Credential:
        """Return document and PKCS#7 signature of a machine, as EC2's metadata service has them."""
        document = {
            "accountId": account,
            "architecture": "x86_64",
            "availabilityZone": zone,
            "imageId": "ami-0123456789abcdef0",
            "instanceId": instance_id,
            "instanceType": "t3.micro",
            "pendingTime": "2026-11-23T00:00:00Z",
            "privateIp": ip,
            "region": region_of(zone),
            "version": "2017-09-30",
        }
        text = json.dumps(document, indent=2)
        builder = (
            pkcs7.PKCS7SignatureBuilder().set_data(text.encode()).add_signer(self._cert, self._ec2, hashes.SHA256())
        )
        options = [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities, pkcs7.PKCS7Options.NoCerts]
        signed = builder.sign(serialization.Encoding.DER, options)
        return Ec2Credential(document=text, rsa2048=base64.encodebytes(signed).decode())

    def token(
        self, subject: str, claims: Mapping[str, Any] | None = None, audience: str = "muster", lasts_s: float = 3600
    ) -> str:
        """Return an OIDC token of the issuer ``mint``."""
        now = int(time.time())
        told = {"iss": ISSUER, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + int(lasts_s)}
        return jwt.encode(told | dict(claims or {}), self._jwt, algorithm="ES256", headers={"kid": KID})


class Issued(Message):
    """Who somebody is, and what proves it: an agent's identity file."""

    identity: Identity
    credential: Credential


def machine(mint: Mint, instance_id: str, zone: str, account: str) -> Issued:
    """Return an EC2 machine that the mint vouches for. Raises ValueError where it can be none."""
    region = region_of(zone)
    if not REGION.fullmatch(region) or region == zone:
        raise ValueError(f"{zone} is no availability zone; expected one like us-east-2b")
    ec2 = Ec2Instance(instance_id=instance_id)
    aws = AwsIdentity(partition=partition_of(region), account=account, region=region, zone=zone, ec2=ec2)
    return Issued(identity=Identity(aws=aws), credential=Credential(ec2=mint.ec2(instance_id, zone, account)))


def subject(mint: Mint, name: str, claims: Mapping[str, Any], audience: str, lasts_s: float) -> Issued:
    """Return the subject of one of the mint's tokens."""
    token = mint.token(name, claims, audience, lasts_s)
    identity = Identity(jwt=JwtIdentity(issuer=NAME, subject=name))
    return Issued(identity=identity, credential=Credential(jwt=JwtCredential(issuer=NAME, token=token)))


def region_of(zone: str) -> str:
    """Return the region of an availability zone: ``us-east-2`` of ``us-east-2b``."""
    return zone.rstrip("abcdefghijklmnopqrstuvwxyz")


def _kept(file: Path, make: Callable[[], PrivateKeyTypes]) -> PrivateKeyTypes:
    """Return the private key in a file; make one where there is none. Raises ConfigError."""
    if not file.is_file():
        plain = serialization.NoEncryption()
        _written(file, make().private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain))
    try:
        return serialization.load_pem_private_key(file.read_bytes(), None)
    except ValueError as cause:
        raise ConfigError(f"{file}: no private key of a mint: {cause}; remove it, and a new one is made") from cause


def _written(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all."""
    half = file.with_name(f"{file.name}.new")
    half.unlink(missing_ok=True)
    half.touch(mode=mode)
    half.write_bytes(content)
    half.replace(file)
