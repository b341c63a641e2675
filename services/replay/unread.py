"""Records of another schema version, which a processor of that version would have taken and this one cannot read.

A heartbeat says that its workload was there: where that was heard otherwise in the same window, nothing is missing.
Whatever else they may have said, what comes behind them may have been otherwise.
"""

import json

from schemas.names import CONTROL_KEY, parse_key


class Unread:
    """Those of one partition whose weight is not known yet: heartbeats of the open window."""

    def __init__(self) -> None:
        self._heartbeats: dict[bytes, int] = {}
        self._told = False

    def take(self, key: bytes | None, value: bytes, offset: int) -> str | None:
        """Take one; return why nothing is certain behind it, or None as long as that is not known; once is enough."""
        if self._told:
            return None
        body = json.loads(value)
        kind = body.get("type")
        if kind == "heartbeat" and key is not None and key != CONTROL_KEY and parse_key(key) is not None:
            self._heartbeats.setdefault(key, offset)
            return None
        self._told = True
        return _words(f"a {kind}" if isinstance(kind, str) else "a record", body, offset)

    def closed(self, heard: dict[bytes, int]) -> str | None:
        """Close the window in which the workloads ``heard`` were; return why nothing is certain behind it, or None."""
        waiting, self._heartbeats = self._heartbeats, {}
        for key, offset in waiting.items():
            if key not in heard and not self._told:
                self._told = True
                return _words(f"a heartbeat of {key.decode(errors='replace')}", {}, offset)
        return None


def _words(what: str, body: dict[str, object], offset: int) -> str:
    version = f" v{body['v']}" if isinstance(body.get("v"), int) else ""
    return f"{what} at offset {offset} is of another schema version{version}, which this Muster cannot read"
