"""The story of the night on which identities began to be verified: who proves what, and who tries to be another."""

import hashlib
from datetime import UTC, datetime

from schemas.credentials import Chain, Proof
from schemas.events import Connect, Trusted
from schemas.message import Message
from schemas.names import CONTROL_KEY
from services.agent.core.chain import HashChain
from services.identity.core.bundle import TrustBundle
from tests.support.logs import OWNER, Log, introduction, key, session
from tests.support.proofs import ProvenSession, credential, mint

BEGUN_MS = int(datetime(2026, 11, 24, 3, tzinfo=UTC).timestamp() * 1000)


def small_bundles() -> tuple[TrustBundle, TrustBundle]:
    """Return two bundles that believe in the mint alone, the second as it was after a rotation."""
    whole = mint().bundle()
    first = whole.model_copy(update={"certificates": whole.certificates[-1:]})
    return first, first.model_copy(update={"audiences": ("muster", "muster-2")})


class Night:
    """The log, and the sessions that live in it."""

    def __init__(self) -> None:
        self.log = Log(now=BEGUN_MS)
        self.living: dict[int, ProvenSession] = {}
        self.minted = 0

    def say(self, who: int, event: Message) -> None:
        """Append an event of a workload."""
        self.log.append(key(who), event.to_json())

    def trust(self, bundle: TrustBundle) -> None:
        """Name the bundle in force."""
        self.log.append(CONTROL_KEY, Trusted(bundle=bundle.digest, owner=OWNER).to_json())

    def session(self, who: int, before: ProvenSession | None = None) -> ProvenSession:
        """Return a new session of a workload's, which may be heir to one."""
        self.minted += 1
        return ProvenSession(introduction(who), session(self.minted), before)

    def join(self, who: int, before: ProvenSession | None = None) -> None:
        """Begin a session that lives from now on."""
        self.living[who] = self.session(who, before)
        self.say(who, self.living[who].connect())

    def windows(self, count: int, silent: frozenset[int] = frozenset()) -> None:
        """Let everybody but the silent speak, window by window."""
        for _ in range(count):
            for who, living in sorted(self.living.items()):
                if who not in silent:
                    self.say(who, living.heartbeat(introduces=who > 0 and living.seq % 5 == 4))
            self.log.tick()


def proofs() -> Log:
    """Return the log that README.md tells of."""
    night, (first, second) = Night(), small_bundles()
    old = night.session(0)
    night.say(0, Connect(session=old.session, seq=0, workload=introduction(0)))
    night.log.resumed()
    night.log.tick()
    night.trust(first)
    for who in range(1, 6):
        night.join(who)
    night.living[0] = old
    night.windows(2)
    night.say(6, Connect(session=session(60), seq=0, workload=introduction(6)))
    shown = Proof(credential=credential(introduction(1).identity), chain=Chain(anchor="07" * 32))
    night.say(7, night.session(7).connect().model_copy(update={"proof": shown}))
    night.say(2, night.session(2).heartbeat().model_copy(update={"session": night.living[2].session, "seq": 40}))
    night.say(3, night.session(3).connect())
    night.windows(1)
    night.join(3, night.living[3])
    renewing = night.living[5].heartbeat()
    chain = HashChain.of(hashlib.sha256(b"another").digest(), renewing.seq)
    night.say(5, renewing.model_copy(update={"chain": chain.seen_from(renewing.seq)}))
    night.living[5]._chain = chain
    night.windows(4, frozenset({4}))
    night.say(4, night.session(4).connect())
    night.join(4)
    night.trust(second)
    night.join(8)
    night.log.records.append(night.log.records[-1]._replace(offset=len(night.log.records)))
    night.windows(3, frozenset({1}))
    night.say(2, night.living[2].goodbye())
    del night.living[2]
    night.windows(8, frozenset({1}))
    return night.log
