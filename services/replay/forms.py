"""How addresses and credentials are written in text, and the token that takes the place of each.

One address has one token, however it is spelled. Where a form might be something else, it is hidden: a recording that
says too little is mended by its owner, and one that says too much by nobody.
"""

import ipaddress
import re
from collections.abc import Callable
from functools import partial
from typing import Protocol

Token = Callable[[str, bytes], bytes]
"""Of a kind and what is hidden: what stands in its place."""


class _Hide(Protocol):
    def __call__(self, found: re.Match[bytes], token: Token) -> bytes: ...


_HEX = rb"[0-9A-Fa-f]{1,4}"
_QUAD = rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_IPV6 = re.compile(
    rb"(?<![0-9A-Za-z])(?:(?:H:){7}H|(?:H:){6}Q|H(?::H){0,6}::(?:(?:H:){0,5}Q|H(?::H){0,6})?)(?![0-9A-Za-z])"
    rb"|(?<![0-9A-Za-z_:])::(?:(?:H:){0,5}Q|H(?::H){0,6})(?![0-9A-Za-z])".replace(b"H", _HEX).replace(b"Q", _QUAD)
)
_DOTTED = re.compile(rb"(?<![0-9])[0-9]{1,3}(?:\.[0-9]{1,3}){3,}(?![0-9])")
_DASHED = re.compile(
    rb"(?:(?<![0-9A-Za-z])ip[-_])?(?<![0-9])[0-9]{1,3}([-_])[0-9]{1,3}(?:\1[0-9]{1,3}){2,}(?![0-9])", re.IGNORECASE
)
"""As clouds name hosts: ``ip-172-31-5-254``."""
_MAC = re.compile(
    rb"(?<![0-9A-Za-z])[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4,6}(?![0-9A-Za-z]|\1[0-9A-Fa-f]{2}(?![0-9A-Za-z]))"
    rb"|(?<![0-9A-Za-z])[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}(?![0-9A-Za-z])"
)
_SECRETS = (
    re.compile(rb"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL),
    re.compile(rb"eyJ[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
    # A signature in base64, in what is no JSON: longer than a link of a chain.
    re.compile(rb"[A-Za-z0-9+/]{100}[A-Za-z0-9+/=\\\nrn]*"),
    re.compile(rb"(?<![0-9A-Za-z])(?:A[KS]IA[A-Z0-9]{16}|gh[a-z]_[A-Za-z0-9]{20,}|xox[a-z]-[A-Za-z0-9-]{10,})"),
)
_NAMES = rb"token|secret|passw(?:or)?d|pwd|credentials?|api[_-]?key|access[_-]?key|private[_-]?key|signature"
_DONE = rb"(?!secret-[0-9a-f]{16}(?![0-9A-Za-z]))"
"""What was hidden by another form before is not hidden again: one credential has one token."""
_NAMED = (
    # https://user:password@host, and user:password@host
    re.compile(rb"(://)" + _DONE + rb"([^\s/?#\"'<>]+)(?=@)"),
    re.compile(rb"(?<![\w.-])()([\w.-]{1,64}:[^\s:@/\"'<>]{1,256})(?=@(?!sha[0-9]+:))"),
    # "basic authentication" is none
    re.compile(
        rb"((?:bearer|basic|negotiate)\s{1,4})(?![a-z]+(?![^\s,;]))" + _DONE + rb"([\w.~+/=-]{8,})", re.IGNORECASE
    ),
    re.compile(
        rb"(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)(?!\w+\s+secret-)" + _DONE + rb"([^\r\n\"']+)", re.IGNORECASE
    ),
    *(
        re.compile(rb"((?:" + names + rb"[\w.-]{0,64})" + sign + rb")" + _DONE + value, re.IGNORECASE)
        for names, sign, value in (
            (rb"(?:" + _NAMES + rb")", rb"[\"']?\s{0,4}=\s{0,4}[\"']?", rb"([^\s\"'&;,<>]+)"),
            (rb"(?:" + _NAMES + rb")", rb"\"\s{0,4}:\s{0,4}\"", rb"([^\"]+)"),
            (rb"(?:passw(?:or)?d|pwd)", rb"\s{0,4}:\s{0,4}", rb"([^\s\"',;]+)"),
        )
    ),
)
_OCTETS, _HIGHEST = 4, 255


def hidden(text: bytes, token: Token) -> bytes:
    """Return the text with a token for each address and credential in it."""
    for secret in _SECRETS:
        text = secret.sub(lambda found: token("secret", found[0]), text)
    for named in _NAMED:
        text = named.sub(lambda found: found[1] + token("secret", found[2]), text)
    for form, hide in _ADDRESSES:
        text = form.sub(partial(hide, token=token), text)
    return text


def mac(text: bytes) -> bytes:
    """Return a MAC address in its one spelling."""
    return re.sub(rb"[^0-9a-f]", b"", text.lower())


def _mac(found: re.Match[bytes], token: Token) -> bytes:
    return token("mac", mac(found[0]))


def _ipv6(found: re.Match[bytes], token: Token) -> bytes:
    try:
        address = ipaddress.IPv6Address(found[0].decode())
    except ValueError:
        return token("ip", found[0].lower())
    return token("ip", str(address.ipv4_mapped or address).encode())


def _ipv4(found: re.Match[bytes], token: Token) -> bytes:
    """Hide what has four octets; of a longer row, in which an address may begin anywhere, the whole.

    A number that ends a word, as in ``ec2-172-31-5-254``, is none of five.
    """
    word = re.match(rb"[0-9]+[._-]", found[0]) if found.string[: found.start()][-1:].isalpha() else None
    if word is not None and len(re.findall(rb"[0-9]+", found[0])) == _OCTETS + 1:
        rest = found[0][word.end() :]
        return word[0] + _row(rest, token)
    return _row(found[0], token)


def _row(row: bytes, token: Token) -> bytes:
    numbers = [int(one) for one in re.findall(rb"[0-9]+", row)]
    small = [number <= _HIGHEST for number in numbers]
    if not any(all(small[at : at + _OCTETS]) for at in range(len(small) - _OCTETS + 1)):
        return row
    return token("ip", ".".join(map(str, numbers)).encode())


_ADDRESSES: tuple[tuple[re.Pattern[bytes], _Hide], ...] = (
    (_MAC, _mac),
    (_IPV6, _ipv6),
    (_DOTTED, _ipv4),
    (_DASHED, _ipv4),
)
