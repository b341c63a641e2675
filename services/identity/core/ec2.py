"""EC2 instance identity documents: everything is taken from the signed document, nothing from the agent.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-iid.html; the region in the document chooses the
certificate, and only that region's certificates can sign for it.
"""

import re
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from schemas.credentials import CredentialReason, Ec2Credential
from schemas.identity import Account, AwsIdentity, Ec2Instance, Identity, InstanceId
from schemas.message import complaint
from services.identity.core import signatures
from services.identity.core.bundle import Certificate, Ec2Method, TrustBundle
from services.identity.core.verdict import RefusedError

_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "us-isof-": "aws-iso-f",
    "eu-isoe-": "aws-iso-e",
    "eusc-": "aws-eusc",
}
REGION = re.compile(r"[a-z]{2,5}(-[a-z0-9]+)+")
Place = Annotated[str, StringConstraints(pattern=rf"^{REGION.pattern}$", max_length=63)]


class Document(BaseModel):
    """What we read of an instance identity document; the rest is AWS's business."""

    model_config = ConfigDict(extra="ignore")

    account: Account = Field(alias="accountId")
    instance_id: InstanceId = Field(alias="instanceId")
    region: Place
    zone: Place = Field(alias="availabilityZone")


def partition_of(region: str) -> str:
    """Return the AWS partition a region belongs to."""
    return next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")


def verify(bundle: TrustBundle, credential: Ec2Credential, at: datetime) -> tuple[Identity, str, str]:
    """Return identity, method and key. Raises RefusedError."""
    document = _read(credential.document)
    method, text = _best(bundle, credential)
    candidates = [c for c in bundle.certificates if c.region == document.region and c.method is method]
    if not candidates:
        raise RefusedError(
            CredentialReason.UNKNOWN_ISSUER,
            f"the trust bundle has no {method.value} certificate of the region {document.region}",
        )
    # Of a renewed certificate with the same key, the one that is valid counts.
    candidates.sort(key=lambda one: not _valid(one, at))
    chosen = _signed_by(candidates, method, text, _bytes(credential.document))
    _check_validity(chosen, at)
    aws = AwsIdentity(
        partition=partition_of(document.region),
        account=document.account,
        region=document.region,
        zone=document.zone,
        ec2=Ec2Instance(instance_id=document.instance_id),
    )
    return Identity(aws=aws), f"ec2-{method.value}", signatures.fingerprint(chosen.pem)


def _read(text: str) -> Document:
    try:
        return Document.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"])) or "document"
        raise RefusedError(CredentialReason.MALFORMED, f"the document's {where}: {complaint(fault)}"[:300]) from error


def _best(bundle: TrustBundle, credential: Ec2Credential) -> tuple[Ec2Method, str]:
    given = {
        Ec2Method.RSA2048: credential.rsa2048,
        Ec2Method.PKCS7: credential.pkcs7,
        Ec2Method.SIGNATURE: credential.signature,
    }
    for method in Ec2Method:
        text = given[method]
        if text is not None and method in bundle.ec2_methods:
            return method, text
    shown = ", ".join(method.value for method, text in given.items() if text) or "no signature"
    accepted = ", ".join(bundle.ec2_methods)
    raise RefusedError(CredentialReason.METHOD_NOT_ACCEPTED, f"it has {shown}; accepted are {accepted}")


def _signed_by(candidates: list[Certificate], method: Ec2Method, text: str, document: bytes) -> Certificate:
    """Return the certificate whose key signed the document; the refusal of the last one if none did."""
    for place, candidate in enumerate(candidates):
        try:
            if method is Ec2Method.SIGNATURE:
                signatures.check_bare(text, document, candidate.pem)
            else:
                weak = method is Ec2Method.PKCS7
                signatures.check_pkcs7(text, document, candidate.pem, method.value, weak=weak)
        except RefusedError:
            if place == len(candidates) - 1:
                raise
        else:
            return candidate
    raise AssertionError("no candidates")  # pragma: no cover - the caller has some


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as cause:
        raise RefusedError(CredentialReason.MALFORMED, "the document is no text") from cause


def _valid(one: Certificate, at: datetime) -> bool:
    cert = signatures.certificate(one.pem)
    return cert.not_valid_before_utc <= at <= cert.not_valid_after_utc


def _check_validity(chosen: Certificate, at: datetime) -> None:
    cert = signatures.certificate(chosen.pem)
    if at < cert.not_valid_before_utc:
        words = f"the certificate of {chosen.region} is valid from {cert.not_valid_before_utc:%F} on"
        raise RefusedError(CredentialReason.NOT_YET_VALID, words)
    if at > cert.not_valid_after_utc:
        words = f"the certificate of {chosen.region} was valid until {cert.not_valid_after_utc:%F}"
        raise RefusedError(CredentialReason.EXPIRED, words)
