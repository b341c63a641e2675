"""The rows of one partition as its changelog tells them: of each key the newest revision, not the latest record.

An owner that lost the partition may still append rows after its successor did (ADR 0004). Both folded the same log,
so a row's revision, and not where it stands in the changelog, says which one is newer.
"""

from collections.abc import Iterator
from typing import NamedTuple

REVISION = "revision"
"""Header of a changelog record: offset in ``muster.events`` of the record it tells of. A tombstone has no other place
for it."""


class ChangelogError(Exception):
    """A changelog record that no processor wrote: a person must look at the topic."""


class _Row(NamedTuple):
    revision: int
    value: bytes | None


class Changelog:
    """What was read of the changelog of one partition."""

    def __init__(self) -> None:
        self.read = -1
        """Offset of the last record applied."""
        self._rows: dict[bytes, _Row] = {}

    def apply(self, offset: int, key: bytes, value: bytes | None, revision: int) -> None:
        """Apply a record; a None value deletes the row. At equal revisions the later record holds."""
        self.read = max(self.read, offset)
        known = self._rows.get(key)
        if known is None or revision >= known.revision:
            self._rows[key] = _Row(revision, value)

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows that exist."""
        for key, row in self._rows.items():
            if row.value is not None:
                yield key, row.value


def to_headers(revision: int) -> list[tuple[str, bytes]]:
    """Return the headers of a changelog record."""
    return [(REVISION, str(revision).encode())]


def revision_of(headers: object, where: str) -> int:
    """Return the revision in a record's headers; ``where`` is for the words of the error."""
    for name, value in headers if isinstance(headers, list | tuple) else ():
        if name == REVISION and value.isdigit():
            return int(value)
    raise ChangelogError(
        f"{where} has no header {REVISION!r}: no processor wrote it; this topic is the processor's own"
    )
