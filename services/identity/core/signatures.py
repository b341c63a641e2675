"""Signatures over an EC2 document: PKCS#7 (RFC 5652) and bare RSA. What does not verify ends in ``RefusedError``."""

import base64
import binascii
import hmac
from functools import lru_cache

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa

from schemas.credentials import CredentialReason
from services.identity.core.verdict import RefusedError

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - AWS's DSA signatures; such methods are accepted only where configured
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
LONGEST = 16 * 1024


@lru_cache(maxsize=512)
def certificate(pem: str) -> x509.Certificate:
    """Return a certificate. Raises ValueError for what is none."""
    return x509.load_pem_x509_certificate(pem.encode())


def fingerprint(pem: str) -> str:
    """Return the SHA-256 fingerprint by which people know a certificate."""
    return "sha256:" + certificate(pem).fingerprint(hashes.SHA256()).hex()


def from_base64(text: str, what: str) -> bytes:
    """Return the bytes of base64 text, as the metadata service breaks it into lines."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as cause:
        raise RefusedError(CredentialReason.MALFORMED, f"{what} is not base64: {cause}") from cause


def check_bare(signature: str, document: bytes, pem: str) -> None:
    """Check the metadata service's ``signature``: RSA with SHA-256 over the document."""
    _check(certificate(pem), from_base64(signature, "signature"), document, hashes.SHA256())


def check_pkcs7(text: str, document: bytes, pem: str, what: str, *, weak: bool = False) -> None:
    """Check a PKCS#7 signature over the document; ``weak``: SHA-1 will do."""
    signer, content = _signer(from_base64(text, what), what)
    if content is not None and not hmac.compare_digest(content, document):
        raise RefusedError(CredentialReason.BAD_SIGNATURE, f"{what} signs another document than the one beside it")
    name = str(signer["digest_algorithm"]["algorithm"].native)
    algorithm = _HASHES.get(name)
    if algorithm is None or (name == "sha1" and not weak):
        raise RefusedError(CredentialReason.ALGORITHM_NOT_ALLOWED, f"{what} is made with {name[:40]}, not SHA-2")
    signed = document
    if signer["signed_attrs"]:
        _check_digest(signer, document, algorithm, what)
        # RFC 5652, 5.4: what is signed is the attributes' explicit SET OF, not the tag they travel under.
        signed = b"\x31" + signer["signed_attrs"].dump()[1:]
    _check(certificate(pem), signer["signature"].native, signed, algorithm)


def _signer(der: bytes, what: str) -> tuple[cms.SignerInfo, bytes | None]:
    """Return the only signer, and the content if it is inside."""
    try:
        info = cms.ContentInfo.load(der, strict=True)
        if info["content_type"].native != "signed_data":
            raise RefusedError(CredentialReason.MALFORMED, f"{what} is PKCS#7, but not signed data")
        # Reading everything now: the parser is lazy, and would complain wherever a field is first looked at.
        info.native  # noqa: B018
        signed = info["content"]
        signers = list(signed["signer_infos"])
        content = signed["encap_content_info"]["content"].native
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError, RecursionError) as cause:
        raise RefusedError(CredentialReason.MALFORMED, f"{what} is not PKCS#7: {str(cause)[:200]}") from cause
    if len(signers) != 1:
        raise RefusedError(CredentialReason.MALFORMED, f"{what} has {len(signers)} signers; expected one")
    if content is not None and not isinstance(content, bytes):
        raise RefusedError(CredentialReason.MALFORMED, f"{what} holds something else than a document")
    return signers[0], content


def _check_digest(signer: cms.SignerInfo, document: bytes, algorithm: hashes.HashAlgorithm, what: str) -> None:
    """Check the attribute that says what was signed (RFC 5652, 11.2): there is one, and it has one value."""
    digests = [attr["values"] for attr in signer["signed_attrs"] if attr["type"].native == "message_digest"]
    told = [value.native for values in digests for value in values]
    digest = hashes.Hash(algorithm)
    digest.update(document)
    if len(told) != 1 or not isinstance(told[0], bytes) or not hmac.compare_digest(told[0], digest.finalize()):
        raise RefusedError(CredentialReason.BAD_SIGNATURE, f"{what} signs another document than the one beside it")


def _check(cert: x509.Certificate, signature: bytes, signed: bytes, algorithm: hashes.HashAlgorithm) -> None:
    key = cert.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, signed, algorithm)
        else:
            raise RefusedError(CredentialReason.UNKNOWN_KEY, "the region's certificate has neither an RSA nor DSA key")
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as cause:
        raise RefusedError(
            CredentialReason.BAD_SIGNATURE, f"the signature is not by {cert.subject.rfc4514_string()[:200]}"
        ) from cause
