"""Who is there, from the records of ``muster.workloads``: the newest revision of each workload, as rows of a table.

AGE counts from when the workload's present session was first seen in the topic. kubectl's AGE counts from the creation
of the object, which outlives sessions; the topic is compacted and knows no longer when the first session began.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from schemas.codec import Rejection, decode_workload
from schemas.message import rfc3339
from schemas.names import WorkloadKey
from schemas.workloads import Presence, Workload
from services.cli.table import age

HEAD = ("NAMESPACE", "NAME", "AGENT CONNECTED", "AGE")
WIDE = ("GROUP", "REASON", "SINCE", "SESSION", "PARTITION", "REVISION")
_CONNECTED = {Presence.CONNECTED: "True", Presence.ABSENT: "False", Presence.UNKNOWN: "Unknown"}


class Entry(NamedTuple):
    """One workload: its newest state, and broker time of the oldest record seen of its session."""

    state: Workload
    joined: datetime

    @property
    def key(self) -> WorkloadKey:
        """The workload's key."""
        return self.state.workload.key


class Roster:
    """The newest state of each workload."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}
        self.unreadable = 0
        """Records that are no state of a workload."""

    def take(self, key: bytes | None, value: bytes | None) -> Entry | None:
        """Take one record; return the entry it brought, or None where it is old, a tombstone or unreadable."""
        if key is None or value is None:
            self._entries.pop(key or b"", None)
            return None
        state = decode_workload(value)
        if isinstance(state, Rejection):
            self.unreadable += 1
            return None
        known = self._entries.get(key)
        if known is not None and state.revision <= known.state.revision:
            return None
        same_session = known is not None and known.state.session == state.session
        entry = Entry(state, known.joined if known is not None and same_session else state.since)
        self._entries[key] = entry
        return entry

    def present(self) -> list[Entry]:
        """Return the workloads that are not removed, by namespace and name."""
        shown = [entry for entry in self._entries.values() if entry.state.presence is not Presence.REMOVED]
        return sorted(shown, key=lambda entry: (entry.key.namespace, entry.key.war_name))


def matching(entries: Iterable[Entry], namespace: str | None, name: str | None) -> list[Entry]:
    """Return the entries of a namespace (None: all) whose workload is called ``name`` (None: any).

    A name is the object's, ``<group>-<identity>``, or the identity alone.
    """
    return [
        entry
        for entry in entries
        if namespace in (None, entry.key.namespace) and name in (None, entry.key.war_name, entry.key.identity)
    ]


def cells(entry: Entry, now: datetime, *, wide: bool = False) -> tuple[str, ...]:
    """Return an entry as a row under ``HEAD``, and under ``WIDE`` where asked for."""
    state, key = entry.state, entry.key
    # A removed one shows only in a watch, as its last line.
    connected = _CONNECTED.get(state.presence, "False")
    narrow = (key.namespace, key.war_name, connected, age(now - entry.joined))
    if not wide:
        return narrow
    since = rfc3339(state.since)
    return (*narrow, key.group, state.reason, since, state.session, str(state.partition), str(state.revision))
