"""Machines of tests that prove who they are to the code that verifies AWS's documents, signed by this run's mint.

No process of a test is told to skip anything: it is given the mint's trust bundle, as anybody's would be.
"""

import hashlib
import tempfile
from functools import cache
from pathlib import Path

from schemas.credentials import Credential, Proof
from schemas.events import Connect, Disconnect, Heartbeat, Introduction, Trusted
from schemas.identity import Identity
from schemas.message import instant
from services.agent.core.chain import HashChain
from services.identity.core.verdict import Accepted
from services.identity.given import GivenBundles
from services.identity.issuing import Mint

OWNER = "00000000-0000-4000-8000-0000000000aa"
_FOLDER = tempfile.TemporaryDirectory(prefix="muster-mint-", ignore_cleanup_errors=True)


@cache
def mint() -> Mint:
    """Return this process's mint."""
    return Mint(Path(_FOLDER.name) / "mint")


@cache
def bundle_file() -> Path:
    """Return the trust bundle that believes in it, for ``--set=trust.bundle=…``."""
    file = Path(_FOLDER.name) / "trust.json"
    mint().write_bundle(file)
    return file


@cache
def trust() -> GivenBundles:
    """Return the same for a fold in this process."""
    return GivenBundles([mint().bundle()])


def trusted() -> Trusted:
    """Return the record that names the bundle in a log."""
    return Trusted(bundle=mint().bundle().digest, owner=OWNER)


@cache
def _ec2(instance: str, zone: str, account: str) -> Credential:
    return Credential(ec2=mint().ec2(instance, zone, account))


def credential(identity: Identity) -> Credential:
    """Return what the metadata service of this EC2 machine would have it show."""
    if identity.aws is None or identity.aws.ec2 is None:
        raise ValueError("only EC2 machines are minted here")
    return _ec2(identity.aws.ec2.instance_id, identity.aws.zone, identity.aws.account)


def prove(shown: Credential, claimed: Identity, at_ms: int) -> Identity | None:
    """Say for the oracle what a credential proves."""
    found = trust().verify(mint().bundle().digest, shown, claimed, instant(at_ms), "")
    return found.identity if isinstance(found, Accepted) else None


class ProvenSession:
    """The events of one session, as an agent writes them; ``before`` is the session it continues."""

    def __init__(
        self,
        introduction: Introduction,
        session: str,
        before: "ProvenSession | None" = None,
        shown: Credential | None = None,
    ) -> None:
        self.introduction, self.session = introduction, session
        self.shown = shown if shown is not None else credential(introduction.identity)
        self.seq = 0
        self._chain = HashChain.of(hashlib.sha256(session.encode()).digest(), 0)
        self._tails = (before.tail,) if before is not None else ()

    @property
    def tail(self) -> str:
        """What only this machine knows of the session."""
        return self._chain.tail

    def _proof(self) -> Proof:
        return Proof(credential=self.shown, chain=self._chain.seen_from(self.seq), continues=self._tails)

    def connect(self) -> Connect:
        """Return its first event."""
        return Connect(session=self.session, seq=0, workload=self.introduction, proof=self._proof())

    def heartbeat(self, *, introduces: bool = False) -> Heartbeat:
        """Return its next heartbeat."""
        self.seq += 1
        return Heartbeat(
            session=self.session,
            seq=self.seq,
            link=self._chain.link(self.seq),
            workload=self.introduction if introduces else None,
            proof=self._proof() if introduces else None,
        )

    def goodbye(self) -> Disconnect:
        """Return its last event."""
        self.seq += 1
        return Disconnect(session=self.session, seq=self.seq, link=self._chain.link(self.seq))
