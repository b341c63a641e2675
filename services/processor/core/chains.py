"""The hash chains of living sessions: an event that does not show its link is not of that session (ADR 0007).

What is stored, with a row, is the commitment; the newest link is only remembered, so that the next costs one hash.
"""

from binascii import unhexlify
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar

from pydantic import ConfigDict

from schemas.chain import leads_to
from schemas.credentials import Chain

RENEWAL_WINDOWS = 2
"""A chain is renewed at most once in so many windows: those which a new owner reads again know one chain before."""

_PAIR = Struct(">Q32s")
_newest, _seen = _PAIR.pack, _PAIR.unpack


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a session promised with its event number ``seq``: links are raw, and in hexadecimal where it is stored."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")

    seq: int
    anchor: bytes
    length: int
    window: int
    """The window that was open."""
    before: bytes | None = None
    """Where it renews another chain: the link of that one which the event showed."""

    @classmethod
    def of(cls, chain: Chain, seq: int, window: int, before: str | None = None) -> "Commitment":
        """Return the commitment made by the event with ``seq``."""
        return cls(seq, unhexlify(chain.anchor), chain.length, window, unhexlify(before) if before else None)

    def ends(self, tail: str) -> bool:
        """Tell whether this is the chain's last link, which only its maker can know."""
        return leads_to(unhexlify(tail), self.length, self.anchor)


class Chains:
    """The newest link of each workload's living session, where one was seen."""

    def __init__(self) -> None:
        self.newest: dict[bytes, bytes] = {}
        """The number of the event that showed it, and the link: packed they take half of what two objects do."""

    def next_link(self, key: bytes, chain: Commitment, seq: int, link: bytes | None) -> bool:
        """Tell whether ``link`` (raw) is that of event ``seq``, beyond all seen before; remember it if so."""
        if link is None:
            return False
        known = self.newest.get(key)
        base, anchor = (chain.seq, chain.anchor) if known is None else _seen(known)
        # The last link is the chain's secret: it proves a continuation, and no event of the session shows it.
        if seq >= chain.seq + chain.length or seq <= base or not leads_to(link, seq - base, anchor):
            return False
        self.newest[key] = _newest(seq, link)
        return True

    def shown(self, key: bytes, chain: Commitment, seq: int, link: str | None) -> bool:
        """Tell whether ``link`` is that of event ``seq``, which may be older than others already seen."""
        if link is None:
            return False
        newest, raw = self.newest.get(key), unhexlify(link)
        if seq > (chain.seq if newest is None else _seen(newest)[0]):
            return self.next_link(key, chain, seq, raw)
        if seq > chain.seq:
            return leads_to(raw, seq - chain.seq, chain.anchor)
        return (
            chain.before is not None and chain.seq - seq < chain.length and leads_to(chain.before, chain.seq - seq, raw)
        )

    def forget(self, key: bytes) -> None:
        """Another session begins, or another chain."""
        self.newest.pop(key, None)
