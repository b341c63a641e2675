"""The lines of a recording, checked one after the other: what is out of place is an error, never a record."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from services.processor.core.record import Appended
from services.replay.chunks import Chunk, Gap, Item, Why
from services.replay.frames import ANEW
from services.replay.lines import Line, LineError, from_fields
from services.replay.recording import FORMAT, Header, RecordingError, Tally, Trailer, configuration_digest, fields_of

CHUNK_RECORDS = 2000


class Checker:
    """Reads lines in their order; bare lines without a header are read too, but nothing vouches for them."""

    def __init__(self, first: bytes) -> None:
        """``first`` begins with the first line. Raises ``RecordingError`` where that is neither header nor record."""
        self.header: Header | None = None
        self.tally: Tally | None = None
        self.trailer: Trailer | None = None
        self._number = 0
        self._next: dict[tuple[str, int], int] = {}
        if not first.strip():
            raise RecordingError(f"it is empty; a recording begins with a header: {ANEW}")
        fields = fields_of(first.split(b"\n", 1)[0], 1)
        if fields.get("type") == "recording":
            self.header = _header(fields)
            self.tally = Tally(self.header)
        elif "topic" not in fields:
            raise RecordingError("line 1 is neither the header of a recording nor a record: this is something else")

    def items(self, lines: bytes) -> Iterator[Item]:
        """Yield the items of whole lines, successive records of a partition together. Raises ``RecordingError``."""
        waiting: list[Appended] = []
        where = ("", 0)
        for item in self._parsed(lines):
            place = (item.topic, item.partition)
            if waiting and (isinstance(item, Gap) or place != where or len(waiting) >= CHUNK_RECORDS):
                yield Chunk(*where, waiting)
                waiting = []
            where = place
            if isinstance(item, Gap):
                yield item
            else:
                waiting.append(item.record)
        if waiting:
            yield Chunk(*where, waiting)

    def _parsed(self, lines: bytes) -> Iterator[Line | Gap]:
        for line in lines.removesuffix(b"\n").split(b"\n"):
            self._number += 1
            if self.trailer is not None:
                raise RecordingError(f"line {self._number} stands behind the trailer: two files in one?")
            try:
                yield from self._item(line)
            except LineError as cause:
                raise RecordingError(f"line {self._number}: {cause}") from None

    def _item(self, line: bytes) -> Iterator[Line | Gap]:
        fields = fields_of(line, self._number)
        kind = fields.get("type")
        if self.tally is None:
            found = from_fields(fields)
            yield from self._skipped(found)
            yield found
        elif kind == "end":
            self._check(fields, self.tally)
        else:
            self.tally.line(line + b"\n")
            if kind == "gap":
                gap = _gap(fields)
                self.tally.gap(gap)
                yield gap
            elif self._number > 1:
                found = from_fields(fields)
                self.tally.record(*found)
                yield found

    def _skipped(self, line: Line) -> Iterator[Gap]:
        """Tell the gaps that show where no header says what was to be there."""
        place = (line.topic, line.partition)
        expected = self._next.get(place, line.record.offset)
        self._next[place] = line.record.offset + 1
        if line.record.offset < expected:
            raise LineError(f"offset {line.record.offset} comes behind {expected - 1}: a partition must be in order")
        if line.record.offset > expected:
            yield Gap(*place, expected, line.record.offset, Why.UNKNOWN)

    def _check(self, fields: dict[str, Any], tally: Tally) -> None:
        try:
            told = Trailer.model_validate(fields)
        except ValidationError as cause:
            raise RecordingError(f"line {self._number}: the trailer cannot be read: {cause}") from None
        found = tally.trailer(complete=told.complete)
        if tally.header.selector:
            found = found.model_copy(update={"reached": told.reached})  # how far it was read does not show in it
        if found != told:
            raise RecordingError(
                f"damaged: the trailer vouches for {told.records} records with digest {told.sha256[:12]}…, but "
                f"{found.records} with {found.sha256[:12]}… are here; nothing says which are right: record it again"
            )
        self.trailer = told


def _header(fields: dict[str, Any]) -> Header:
    if fields.get("v") != FORMAT:
        raise RecordingError(f"its format is v{fields.get('v')}; this Muster reads v{FORMAT}: use a newer one")
    try:
        header = Header.model_validate(fields)
    except ValidationError as cause:
        raise RecordingError(f"the header cannot be read: {cause}") from None
    if header.configuration not in {"", configuration_digest(header.topics, header.rules)}:
        raise RecordingError(
            "its header was changed: its topics and rules are not those of its configuration digest; to replay it by "
            "other rules, give --set rules.…"
        )
    return header


def _gap(fields: dict[str, Any]) -> Gap:
    try:
        topic, partition = str(fields["topic"]), int(fields["partition"])
        gap = Gap(topic, partition, int(fields["start"]), int(fields["end"]), Why(fields["why"]))
    except (KeyError, ValueError, TypeError) as cause:
        raise LineError(f"a gap that cannot be read: {cause}") from None
    if gap.end <= gap.start:
        raise LineError(f"a gap from {gap.start} to {gap.end} is none")
    return gap
