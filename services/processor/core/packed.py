"""Texts and proofs as rows keep them: what thousands of workloads say nearly alike takes little room.

A table of workloads is as large as memory is (issue: less than a kilobyte each), and what an agent says of its machine
is most of it, is read only where something changes, and differs from its neighbours' in a few words. What is stored
and what is told are as they ever were: this is of memory alone.
"""

import sys
import zlib
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import PlainSerializer, PlainValidator

from schemas.credentials import Verified
from schemas.message import instant

# Introductions like most, the likeliest last: zlib refers to them for what others have in common with them. What is
# packed is unpacked by the same process, so this may change.
_ALIKE = (
    b'"gcp":{"project":"","zone":"us-central1-a","instance":"","azure":{"subscription":"","resourceGroup":"","vm":""'
    b'"jwt":{"issuer":"","subject":"system:serviceaccount:","attributes":{"'
    b'"ecs":{"cluster":"","taskId":"","iamRole":"arn:aws:iam::","labels":{"app":"","connectedOver":"INTERNET"'
    b'"host":{"addresses":[]},"sidecar":{},"workload":{"labels":{}}}}'
    b'"ip":"192.168.","type":"VPC"},{"ip":"172.'
    b'{"namespace":"","group":"","identity":{"aws":{"partition":"aws","account":"","region":"eu-west-1","zone":"us-east-'
    b'2a","ec2":{"instanceId":"i-0"}}},"registration":{"agent":{"version":"v1.0.0"},"host":{"addresses":[{"ip":"10.'
    b'0.0.1","type":"VPC"}]},"settings":{"connectedOver":"VPC"},"sidecar":{"istio":{"version":"1.2'
    b'0.0"}},"workload":{"labels":{"version":"v1"}}}}'
)


def pack(text: bytes) -> bytes:
    """Return a text as it is kept: the same text is the same bytes."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS, zdict=_ALIKE)
    return packer.compress(text) + packer.flush()


def unpack(packed: bytes) -> bytes:
    """Return a text that was packed."""
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS, zdict=_ALIKE).decompress(packed)


def _pack(text: str) -> bytes:
    return pack(text.encode())


def _unpack(packed: bytes) -> str:
    return unpack(packed).decode()


Packed = Annotated[bytes, PlainValidator(_pack), PlainSerializer(_unpack, return_type=str)]
"""A text in a row: packed in memory, itself where the row is stored."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What ``Verified`` says; thousands share the texts."""

    method: str
    key: str
    bundle: str
    at: int
    """Broker time, in milliseconds."""

    @classmethod
    def of(cls, verified: Verified, at: int | None = None) -> Self:
        """Return it; ``at`` is the same instant where the caller has it as a number."""
        intern = sys.intern
        found = int(verified.at.timestamp() * 1000 + 0.5) if at is None else at
        return cls(intern(verified.method), intern(verified.key), intern(verified.bundle), found)

    def told(self) -> Verified:
        """Return the message of it."""
        return Verified(method=self.method, key=self.key, bundle=self.bundle, at=instant(self.at))


def _proven(raw: Any) -> Proven | None:  # noqa: ANN401 - JSON's value
    return None if raw is None else Proven.of(Verified.model_validate(raw))


def _told(proven: Proven | None) -> Verified | None:
    return None if proven is None else proven.told()


StoredProof = Annotated[Proven | None, PlainValidator(_proven), PlainSerializer(_told, return_type=Verified | None)]
"""A proof in a row: ``Verified`` where the row is stored."""
