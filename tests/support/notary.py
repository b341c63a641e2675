"""Signers of credentials whose every part a test can choose: keys, validity, kinds of signature, claims."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import jwt
from asn1crypto import algos, cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from schemas.credentials import Ec2Credential
from services.identity.core.bundle import Algorithm, Certificate, Ec2Method, Issuer, IssuerKind, session_audience
from tests.support import tlv

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""The broker time at which the tests' credentials are judged."""
SESSION = "00000000-0000-4000-8000-000000000001"
"""The session in which they are shown."""
DAY = timedelta(days=1)
_OPTIONS = [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities, pkcs7.PKCS7Options.NoCerts]


@cache
def rsa_key(_name: str) -> rsa.RSAPrivateKey:
    """Return the key of this name, the same all along the run."""
    return rsa.generate_private_key(65537, 2048)


@cache
def _dsa_key() -> dsa.DSAPrivateKey:
    return dsa.generate_private_key(1024)  # noqa: S505 - the size of AWS's


class Notary(NamedTuple):
    """Signs documents of machines with its key, under a certificate of this validity."""

    name: str = "ours"
    since: datetime = NOW - DAY
    until: datetime = NOW + DAY

    def certificate(self, region: str = "us-east-2", method: Ec2Method = Ec2Method.RSA2048) -> Certificate:
        """Return its certificate as one of a region."""
        return Certificate(region=region, method=method, pem=_pem(self))

    def rsa2048(self, document: str) -> str:
        """Return a PKCS#7 signature with the document inside, as the metadata service has it."""
        return self._pkcs7(document)

    def detached(self, document: str) -> str:
        """Return a PKCS#7 signature without the document."""
        return self._pkcs7(document, pkcs7.PKCS7Options.DetachedSignature)

    def around(self, document: str, inside: str) -> str:
        """Return a PKCS#7 signature over a document, with another one inside."""
        info = cms.ContentInfo.load(base64.b64decode(self._pkcs7(document, pkcs7.PKCS7Options.NoAttributes)))
        info["content"]["encap_content_info"]["content"] = inside.encode()
        return base64.encodebytes(info.dump(force=True)).decode()

    def twice(self, document: str) -> str:
        """Return a PKCS#7 signature by two signers."""
        return self._pkcs7(document, signers=2)

    def segmented(self, document: str, length: int = 100) -> str:
        """Return a PKCS#7 signature as the metadata service sends it: BER without lengths, the document in segments.

        Its base64 begins with MIAG and ends with the zero octets of what stands open.
        """
        return base64.encodebytes(segmented(base64.b64decode(self.rsa2048(document)), length)).decode()

    def _pkcs7(self, document: str, *options: pkcs7.PKCS7Options, signers: int = 1) -> str:
        cert = x509.load_pem_x509_certificate(_pem(self).encode())
        builder = pkcs7.PKCS7SignatureBuilder().set_data(document.encode())
        for _ in range(signers):
            builder = builder.add_signer(cert, rsa_key(self.name), hashes.SHA256())
        chosen = {*_OPTIONS, *options}
        if pkcs7.PKCS7Options.NoAttributes in chosen:
            chosen.remove(pkcs7.PKCS7Options.NoCapabilities)
        return base64.encodebytes(builder.sign(serialization.Encoding.DER, list(chosen))).decode()

    def signature(self, document: str) -> str:
        """Return a bare signature."""
        return base64.encodebytes(
            rsa_key(self.name).sign(document.encode(), padding.PKCS1v15(), hashes.SHA256())
        ).decode()

    def shows(self, document: str, *, method: Ec2Method = Ec2Method.RSA2048) -> Ec2Credential:
        """Return the document with one signature, of this method."""
        signed = self.signature(document) if method is Ec2Method.SIGNATURE else self.rsa2048(document)
        return Ec2Credential.model_validate({"document": document, method.value: signed})


class DsaNotary(NamedTuple):
    """Signs as AWS's older regions do for ``pkcs7``: DSA with SHA-1."""

    def certificate(self, region: str = "us-east-2") -> Certificate:
        """Return its certificate."""
        return Certificate(region=region, method=Ec2Method.PKCS7, pem=_certified(_dsa_key(), NOW - DAY, NOW + DAY))

    def pkcs7(self, document: str) -> str:
        """Return a PKCS#7 signature."""
        content = document.encode()
        attributes = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
                cms.CMSAttribute(
                    {"type": "message_digest", "values": [hashlib.sha1(content, usedforsecurity=False).digest()]}
                ),
            ]
        )
        signature = _dsa_key().sign(attributes.dump(), hashes.SHA1())  # noqa: S303 - as AWS does
        der = serialization.Encoding.DER
        raw = x509.load_pem_x509_certificate(self.certificate().pem.encode()).public_bytes(der)
        cert = asn1_x509.Certificate.load(raw)
        named = cms.IssuerAndSerialNumber({"issuer": cert.issuer, "serial_number": cert.serial_number})
        signer = {
            "version": "v1",
            "sid": cms.SignerIdentifier({"issuer_and_serial_number": named}),
            "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha1"}),
            "signed_attrs": attributes,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha1_dsa"}),
            "signature": signature,
        }
        data = {
            "version": "v1",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": "sha1"})],
            "encap_content_info": {"content_type": "data", "content": content},
            "signer_infos": [cms.SignerInfo(signer)],
        }
        info = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)})
        return base64.encodebytes(info.dump()).decode()


def segmented(der: bytes, length: int = 100) -> bytes:
    """Return PKCS#7 in AWS's form of BER: open down to the content, which is cut into segments of this length."""
    info = tlv.read(der).inner[0]
    tagged = info.inner[1]
    signed = tagged.inner[0]
    encapsulated = signed.inner[2]
    inside = encapsulated.inner[1]
    content = inside.inner[0]
    parts = [content.body[start : start + length] for start in range(0, len(content.body), length)]
    cut = tlv.Node(tlv.SEGMENTS, [tlv.Node(tlv.OCTETS, body=part) for part in parts], indefinite=True)
    inside.inner[0] = cut
    for node in (info, tagged, signed, encapsulated, inside):
        node.indefinite = True
    return info.written()


@cache
def _pem(notary: Notary) -> str:
    return _certified(rsa_key(notary.name), notary.since, notary.until)


def _certified(key: rsa.RSAPrivateKey | dsa.DSAPrivateKey, since: datetime, until: datetime) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a notary of the tests")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(since).not_valid_after(until)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def document(**changed: str | None) -> str:
    """Return the document of a machine; a field given as None is left out."""
    fields: dict[str, str | None] = {
        "accountId": "123456789012",
        "architecture": "x86_64",
        "availabilityZone": "us-east-2b",
        "imageId": "ami-0123456789abcdef0",
        "instanceId": "i-1234567890abcdef0",
        "instanceType": "t3.micro",
        "pendingTime": "2026-11-23T00:00:00Z",
        "privateIp": "172.31.5.254",
        "region": "us-east-2",
        "version": "2017-09-30",
    }
    return json.dumps({name: value for name, value in (fields | changed).items() if value is not None}, indent=2)


class TokenSigner(NamedTuple):
    """An issuer of tokens with one key: RSA where ``algorithm`` begins with RS, elliptic otherwise."""

    name: str = "corp"
    kind: IssuerKind = IssuerKind.JWT
    kid: str | None = "key-1"
    algorithm: Algorithm = "ES256"

    @property
    def url(self) -> str:
        """The claim ``iss``."""
        return f"https://{self.name}.invalid"

    @property
    def audience(self) -> str:
        """For whom its tokens are: Google's for one session only."""
        return session_audience("muster", SESSION) if self.kind is IssuerKind.GCP else "muster"

    @property
    def private(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        """Its key."""
        return rsa_key(self.name) if self.algorithm.startswith("RS") else _ec_key(self.name)

    @property
    def jwk(self) -> dict[str, Any]:
        """The public part, as it is published."""
        key = self.private
        if isinstance(key, rsa.RSAPrivateKey):
            told = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        else:
            told = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return dict(told) | ({"kid": self.kid} if self.kid is not None else {})

    def issuer(self, **changed: Any) -> Issuer:  # noqa: ANN401 - any field of an issuer
        """Return it as a trust bundle has it."""
        fields = {"name": self.name, "issuer": self.url, "kind": self.kind, "algorithms": (self.algorithm,)}
        return Issuer.model_validate(fields | {"keys": (self.jwk,)} | changed)

    def token(self, headers: dict[str, Any] | None = None, **changed: Any) -> str:  # noqa: ANN401 - any claim
        """Return a token; a claim given as None is left out."""
        at = int(NOW.timestamp())
        claims = {
            "iss": self.url,
            "sub": "ann",
            "aud": self.audience,
            "iat": at,
            "nbf": at - 60,
            "exp": at + 600,
        } | changed
        told = {name: value for name, value in (claims | changed).items() if value is not None}
        named = {"kid": self.kid} if self.kid is not None else {}
        return jwt.encode(told, self.private, algorithm=self.algorithm, headers=named | (headers or {}))


@cache
def _ec_key(_name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
