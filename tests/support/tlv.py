"""DER and BER as a tree that a test edits: an altered byte breaks some length, an edited tree is well-formed still."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial

CONSTRUCTED = 0x20
OCTETS, SEGMENTS = 0x04, 0x24
"""An octet string, and BER's form of one whose parts follow each other."""
_END = b"\x00\x00"


@dataclass
class Node:
    """A tag, of one byte, and what is in it: other nodes where the tag says so, bytes otherwise."""

    tag: int
    inner: "list[Node]" = field(default_factory=list)
    body: bytes = b""
    indefinite: bool = False
    """BER's form without a length, which ends with two zero octets (X.690, 8.1.3.6)."""

    def content(self) -> bytes:
        """Return the bytes inside."""
        return b"".join(one.written() for one in self.inner) if self.tag & CONSTRUCTED else self.body

    def written(self) -> bytes:
        """Return all its bytes."""
        body = self.content()
        if self.indefinite:
            return bytes([self.tag, 0x80]) + body + _END
        length = len(body)
        if length < 0x80:
            return bytes([self.tag, length]) + body
        told = length.to_bytes((length.bit_length() + 7) // 8, "big")
        return bytes([self.tag, 0x80 | len(told)]) + told + body

    def places(self) -> "Iterator[tuple[Node, int]]":
        """Yield where each node below this one stands: under which other one, and as the how manieth."""
        for place, one in enumerate(self.inner):
            yield self, place
            yield from one.places()


def read(der: bytes) -> Node:
    """Return the tree of DER bytes, under a node that is none of theirs."""
    return Node(CONSTRUCTED, _nodes(der))


def _nodes(der: bytes) -> list[Node]:
    found, place = [], 0
    while place < len(der):
        tag, length, place = der[place], der[place + 1], place + 2
        if length & 0x80:
            size = length & 0x7F
            length, place = int.from_bytes(der[place : place + size], "big"), place + size
        body, place = der[place : place + length], place + length
        found.append(Node(tag, _nodes(body)) if tag & CONSTRUCTED else Node(tag, body=body))
    return found


def _empty(above: Node, place: int) -> None:
    above.inner[place].inner, above.inner[place].body = [], b""


def _drop(above: Node, place: int) -> None:
    del above.inner[place]


def _double(above: Node, place: int) -> None:
    above.inner.insert(place, deepcopy(above.inner[place]))


def _truncate(above: Node, place: int) -> None:
    one = above.inner[place]
    one.inner, one.body = one.inner[: len(one.inner) // 2], one.body[: len(one.body) // 2]


def _open(above: Node, place: int) -> None:
    above.inner[place].indefinite = True


def _retag(tag: int, above: Node, place: int) -> None:
    one = above.inner[place]
    if not tag & CONSTRUCTED:
        one.body = one.content()
    one.tag = tag


_TAGS = (0x01, 0x02, 0x03, OCTETS, 0x05, 0x06, 0x0C, 0x13, 0x17, SEGMENTS, 0x30, 0x31, 0x80, 0xA0, 0xA1)
EDITS: dict[str, Callable[[Node, int], None]] = {
    "emptied": _empty,
    "dropped": _drop,
    "doubled": _double,
    "truncated": _truncate,
    "opened": _open,
    **{f"retagged as {tag:02x}": partial(_retag, tag) for tag in _TAGS},
}
"""What may become of the node at a place."""
