"""Hides addresses and credentials in records, the same one always by the same token, so that verdicts stay the same.

Namespace, group and identity are left as they are, in key and body: they are what a record is about, and may hold what
looks like an address. What a credential proved stands in its place (``attestation``). Ports, host names without an
address in them, labels and words stay.
"""

import hashlib
import hmac
import json
import re
from typing import Any

from schemas.codec import MAX_EVENT_BYTES, decode_event
from schemas.events import ControlEvent
from schemas.names import CONTROL_KEY
from services.processor.core.record import Appended
from services.replay.attestation import Attestor
from services.replay.chunks import Chunk
from services.replay.forms import hidden, mac
from services.replay.lines import headed, headers_of, shortest

_CREDENTIAL = "credential"
_SECRET = re.compile(
    r"token|secret|passw|pwd|credential|authorization|api.?key|access.?key|private.?key", re.IGNORECASE
)
_MAC = re.compile(r"mac(_?addr(ess)?)?", re.IGNORECASE)
_LEFT = {
    ("workload", "namespace"),
    ("workload", "group"),
    ("workload", "identity"),
    # of what a processor signed, and of an operator's order
    ("workload",),
    ("account",),
    ("role",),
    ("signature",),
    ("scope",),
    # of what the sink did
    ("namespace",),
    ("name",),
    ("uid",),
}
"""Places in a body that say what the record is about: it would not be folded as it was without them."""


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
        headers = tuple((self._words(name), self._header(name, value)) for name, value in headers_of(record))
        if record.value is None:
            return headed(record.offset, record.timestamp, record.key, None, headers) if headers else record
        if record.key == CONTROL_KEY and _signed(record):
            return record  # altered, it would not be what was signed; it is our own, and has no address of a machine
        event = self._attestor.attested(record)
        value = self._value(record.value) if event is None else shortest(self._event(event))
        return headed(record.offset, record.timestamp, record.key, value, headers)

    def _header(self, name: str, value: bytes | None) -> bytes | None:
        if value is None:
            return None
        return self._token("secret", value).encode() if _SECRET.search(name) else self._text(value)

    def _event(self, body: dict[str, Any]) -> dict[str, Any]:
        """Hide everything but what stands in the credential's place."""
        shown = body["proof"].pop(_CREDENTIAL)
        rest: dict[str, Any] = self._walked(body)
        place, name = (shown["jwt"], "token") if "jwt" in shown else (shown["ec2"], "document")
        told = json.loads(place[name])
        for outcome in told.values():
            # Words may quote addresses; what was proved is compared with the identity that is left as it is.
            if "message" in outcome:
                outcome["message"] = self._text(outcome["message"].encode()).decode()
        place[name] = shortest(told).decode()
        return {**rest, "proof": {_CREDENTIAL: shown, **rest["proof"]}}

    def _value(self, value: bytes) -> bytes:
        try:
            body = json.loads(value)
        except (ValueError, RecursionError):
            # Whatever it is, it is rejected for the same reason afterwards.
            return self._text(value)
        # Spelled anew: what is escaped, or said twice, would hide an address from whoever looks for it.
        spelled = _spelled(self._walked(body))
        return spelled.ljust(len(value)) if len(value) > MAX_EVENT_BYTES else spelled

    def _walked(self, body: Any, path: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(body, dict):
            return {
                self._words(name): (found if self._is_left((*path, name), found) else self._named((*path, name), found))
                for name, found in body.items()
            }
        if isinstance(body, list):
            return [self._walked(one, (*path, "")) for one in body]
        return self._words(body) if isinstance(body, str) else body

    @staticmethod
    def _is_left(path: tuple[str, ...], found: Any) -> bool:  # noqa: ANN401 - any JSON
        return path in _LEFT and (isinstance(found, str) or path == ("workload", "identity"))

    def _named(self, path: tuple[str, ...], found: Any) -> Any:  # noqa: ANN401 - any JSON
        name = path[-1]
        if _SECRET.search(name):
            return self._hidden(found)
        if name == "ip" and isinstance(found, str):
            told = self._words(found)
            return told if told != found else self._token("ip", found.encode(errors="surrogatepass"))
        if _MAC.fullmatch(name) and isinstance(found, str):
            return self._token("mac", mac(found.encode(errors="surrogatepass")))
        return self._walked(found, path)

    def _hidden(self, found: Any) -> Any:  # noqa: ANN401 - any JSON
        """Hide every text and number, whatever its name."""
        if isinstance(found, dict):
            return {self._words(name): self._hidden(one) for name, one in found.items()}
        if isinstance(found, list):
            return [self._hidden(one) for one in found]
        if found is None or isinstance(found, bool):
            return found
        return self._token("secret", str(found).encode(errors="surrogatepass"))

    def _words(self, text: str) -> str:
        return self._text(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")

    def _text(self, raw: bytes) -> bytes:
        return hidden(raw, lambda kind, found: self._token(kind, found).encode())

    def _token(self, kind: str, found: bytes) -> str:
        return f"{kind}-{hmac.new(self._key, found, hashlib.sha256).hexdigest()[:16]}"


def _spelled(body: Any) -> bytes:  # noqa: ANN401 - any JSON
    """Return JSON in its shortest spelling; with escapes where a text is no Unicode."""
    try:
        return shortest(body)
    except ValueError:
        return json.dumps(body, separators=(",", ":")).encode()


def _signed(record: Appended) -> bool:
    event = decode_event(record.key, record.value)
    return isinstance(event, ControlEvent) and bool(event.signature)
