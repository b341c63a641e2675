"""The hash chain of a session, as its maker has it: every link can be shown in turn (ADR 0007).

Of 1024 links only every 32nd is kept, 1 KiB for an agent; one in between costs at most 31 hashes, 16 on average.
"""

from dataclasses import dataclass, field
from hashlib import sha256

from schemas.credentials import CHAIN_LENGTH, Chain

LINK_BYTES = sha256().digest_size
STRIDE = 32
"""Links from one checkpoint to the next."""
RENEWAL = 30
"""A chain is renewed when no more than so many links are left: its last one, the secret, is never shown as a link."""


@dataclass(frozen=True, slots=True)
class HashChain:
    """A chain to which the event with sequence number ``seq`` committed; the event ``seq`` + k shows link k."""

    seq: int
    length: int
    checkpoints: bytes = field(repr=False)
    """Links 32, 64 … and the last, one after the other."""

    @classmethod
    def of(cls, secret: bytes, seq: int, length: int = CHAIN_LENGTH) -> "HashChain":
        """Return the chain of ``length`` links, a multiple of 32, whose last is ``secret``; costs so many hashes."""
        if len(secret) != LINK_BYTES or length % STRIDE or length <= RENEWAL:
            raise ValueError(f"a secret of {LINK_BYTES} bytes and a multiple of {STRIDE} links above {RENEWAL}")
        kept = [secret]
        while len(kept) * STRIDE < length:
            kept.append(_hashed(kept[-1], STRIDE))
        return cls(seq, length, b"".join(reversed(kept)))

    @property
    def tail(self) -> str:
        """The last link, in hexadecimal: who shows it is who made the chain."""
        return self.checkpoints[-LINK_BYTES:].hex()

    def link(self, seq: int) -> str:
        """Return what the event with this number shows, in hexadecimal; ValueError where the chain is over."""
        number = seq - self.seq
        if not 0 <= number < self.length:
            raise ValueError(f"event {seq} is none of a chain of {self.length} links from event {self.seq} on")
        place = max(number - 1, 0) // STRIDE
        checkpoint = self.checkpoints[place * LINK_BYTES : (place + 1) * LINK_BYTES]
        return _hashed(checkpoint, (place + 1) * STRIDE - number).hex()

    def seen_from(self, seq: int) -> Chain:
        """Return the same chain as a commitment of the event with this number: what is left of it."""
        return Chain(anchor=self.link(seq), length=self.length - (seq - self.seq))

    def over_soon(self, seq: int) -> bool:
        """Tell whether the event with this number should commit to another chain."""
        return seq - self.seq >= self.length - RENEWAL


def _hashed(link: bytes, times: int) -> bytes:
    for _ in range(times):
        link = sha256(link).digest()
    return link
