"""Hides addresses and credentials in records, the same one always by the same token, so that verdicts stay the same.

Namespace, group and identity are left as they are, in key and body: they are what a record is about. What a credential
proved stands in its place (``attestation``).
"""

import hashlib
import hmac
import ipaddress
import json
import re
from typing import Any

from schemas.codec import decode_event
from schemas.events import ControlEvent
from schemas.names import CONTROL_KEY
from services.processor.core.record import Appended, Record
from services.replay.attestation import Attestor
from services.replay.chunks import Chunk
from services.replay.lines import shortest

_MAYBE_IPV6 = re.compile(rb"(?<![0-9A-Za-z_:.])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]+")
_MAYBE_IPV4 = re.compile(rb"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\.?[0-9])")
_JWT = re.compile(rb"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_BLOB = re.compile(rb"[A-Za-z0-9+/]{100}[A-Za-z0-9+/=\\\nrn]*")
"""A signature in base64, in what is no JSON: longer than a link of a chain."""
_CREDENTIAL = "credential"
_SECRET = re.compile(r"token|secret|passw|credential|authorization|api.?key|private.?key", re.IGNORECASE)
_LEFT = {"identity", "namespace", "group", "session", "owner", "sentAt", "type"}


class Redactor:
    """Replaces under one key; who has not the key cannot try addresses until one fits."""

    def __init__(self, key: bytes, attestor: Attestor | None = None) -> None:
        """``attestor`` says what credentials prove; without one, no verdict on them can be known later."""
        self._key = key
        self._attestor = attestor or Attestor(())

    @property
    def fingerprint(self) -> str:
        """Tells whether two recordings were redacted with the same key, without telling it."""
        return self._token("key", b"fingerprint").removeprefix("key-")

    def chunk(self, chunk: Chunk) -> Chunk:
        """Return the chunk with its records redacted."""
        return chunk._replace(records=[self.record(record) for record in chunk.records])

    def record(self, record: Appended) -> Appended:
        """Return the record redacted."""
        if record.value is None:
            return record
        if record.key == CONTROL_KEY and _signed(record):
            return record  # altered, it would not be what was signed; it is our own, and has no address of a machine
        event = self._attestor.attested(record)
        value = self._value(record.value) if event is None else shortest(self._event(event))
        return Record(record.offset, record.timestamp, record.key, value)

    def _event(self, body: dict[str, Any]) -> dict[str, Any]:
        """Hide everything but what stands in the credential's place."""
        shown = body["proof"].pop(_CREDENTIAL)
        hidden: dict[str, Any] = self._walked(body)
        # Errors may quote addresses; identities have none.
        place, name = (shown["jwt"], "token") if "jwt" in shown else (shown["ec2"], "document")
        place[name] = self._text(place[name].encode()).decode()
        return {**hidden, "proof": {_CREDENTIAL: shown, **hidden["proof"]}}

    def _value(self, value: bytes) -> bytes:
        try:
            body = json.loads(value)
            if isinstance(body, dict) and shortest(body) == value:
                return shortest(self._walked(body))
        except (ValueError, RecursionError):
            pass
        # Whatever it is, it is rejected for the same reason afterwards.
        return self._text(value)

    def _walked(self, body: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(body, dict):
            return {name: found if name in _LEFT else self._named(name, found) for name, found in body.items()}
        if isinstance(body, list):
            return [self._walked(one) for one in body]
        return self._text(body.encode()).decode() if isinstance(body, str) else body

    def _named(self, name: str, found: Any) -> Any:  # noqa: ANN401 - any JSON
        if name == _CREDENTIAL:
            return self._hidden(found)
        if _SECRET.search(name) and isinstance(found, str):
            return self._token("secret", found.encode())
        if name == "ip" and isinstance(found, str):
            hidden = self._text(found.encode()).decode()
            return hidden if hidden != found else self._token("ip", found.encode())
        return self._walked(found)

    def _hidden(self, found: Any) -> Any:  # noqa: ANN401 - any JSON
        """Hide every text, whatever its name: no event was made of it."""
        if isinstance(found, dict):
            return {name: self._hidden(one) for name, one in found.items()}
        if isinstance(found, list):
            return [self._hidden(one) for one in found]
        return self._token("secret", found.encode()) if isinstance(found, str) else found

    def _text(self, raw: bytes) -> bytes:
        for secret in (_JWT, _BLOB):
            raw = secret.sub(lambda found: self._token("secret", found[0]).encode(), raw)
        hidden = _MAYBE_IPV6.sub(self._address, raw)
        return _MAYBE_IPV4.sub(self._address, hidden)

    def _address(self, found: re.Match[bytes]) -> bytes:
        address = found[0].rstrip(b".") if b"::" in found[0][-2:] else found[0].rstrip(b".:")
        try:
            told = str(ipaddress.ip_address(address.decode()))
        except ValueError:
            return found[0]
        return self._token("ip", told.encode()).encode() + found[0][len(address) :]

    def _token(self, kind: str, hidden: bytes) -> str:
        return f"{kind}-{hmac.new(self._key, hidden, hashlib.sha256).hexdigest()[:16]}"


def _signed(record: Appended) -> bool:
    event = decode_event(record.key, record.value)
    return isinstance(event, ControlEvent) and bool(event.signature)
