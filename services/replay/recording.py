"""What a recording is: zstd-compressed lines of JSON: a header, records and gaps, and a trailer that vouches for them.

    {"v":1,"type":"recording","cluster":…,"topics":[…],…}    what was asked for, of which cluster, by which settings
    {"topic":…,"partition":…,"offset":…,"time":…,…}          a record, as `muster events cat -o json` prints it
    {"type":"gap","topic":…,"partition":…,"start":…,…}       offsets without records, and why
    {"type":"end","complete":true,"records":…,"sha256":…}    how many, how far, and the digest of all lines before

The lines stand in frames of zstd, each of whole lines and with a checksum; the trailer has a frame of its own. Whatever
is cut off, changed or taken out shows: the weight-bearing rule is that no record is yielded from an unchecked frame.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from schemas.message import Message, Offset, Partition
from services.identity.core.bundle import TrustBundle
from services.processor.core.record import Appended
from services.replay.chunks import Gap, Item
from services.replay.lines import shortest, to_line, to_time
from services.replay.snapshots import Snapshot

FORMAT = 1
MAGIC = b"\x28\xb5\x2f\xfd"
"""A frame of zstd begins with these bytes."""


class RecordingError(Exception):
    """What cannot be read as a recording, or not as a whole one; the text says where and what to do."""


class Range(Message):
    """Offsets ``start`` to before ``end`` of a partition."""

    partition: Partition
    start: Offset
    end: Offset


class RecordedTopic(Message):
    """One topic: how many partitions it has, what of them was asked for, and its configuration."""

    name: str
    partitions: Partition
    ranges: tuple[Range, ...]
    config: dict[str, str] = Field(default_factory=dict)


class Header(Message):
    """The first line."""

    v: Literal[1] = 1
    type: Literal["recording"] = "recording"
    cluster: str
    topics: tuple[RecordedTopic, ...]
    first: str | None = None
    """``--from`` as it was given."""
    last: str | None = None
    selector: str = ""
    """Records that do not match were left out; empty: none was. The processor's own are always there."""
    rules: dict[str, int | float] = Field(default_factory=dict)
    """The numbers by which the processor called the roll, where who recorded knew them."""
    redacted: str | None = None
    """Fingerprint of the key by which addresses and credentials were replaced; None: they were not."""
    bundles: tuple[TrustBundle, ...] = ()
    """Trust bundles that the log may name; nothing in them is secret."""
    snapshot: Snapshot | None = None
    """The state of the log before what was recorded, where it was asked for: a fold begins from it."""
    configuration: str = ""
    """Digest of topics' configuration and rules: equal where these are equal."""

    def topic(self, name: str) -> RecordedTopic:
        """Return a topic of the recording. Raises ``RecordingError``."""
        for one in self.topics:
            if one.name == name:
                return one
        raise RecordingError(f"the recording has no {name}, only {', '.join(one.name for one in self.topics)}")


class Reached(Message):
    """How far a partition was recorded."""

    topic: str
    partition: Partition
    start: Offset
    end: Offset
    records: int = 0
    first_time: str | int | None = None
    last_time: str | int | None = None


class Trailer(Message):
    """The last line."""

    v: Literal[1] = 1
    type: Literal["end"] = "end"
    complete: bool
    """False where it was interrupted: what is there is whole, but not all that was asked for."""
    records: int
    gaps: int
    reached: tuple[Reached, ...]
    sha256: str


def configuration_digest(topics: tuple[RecordedTopic, ...], rules: dict[str, int | float]) -> str:
    """Return the digest of what decides how a log reads."""
    told = {"topics": {one.name: [one.partitions, one.config] for one in topics}, "rules": rules}
    return "sha256:" + hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class _Far:
    """How far one partition came."""

    start: int
    end: int
    records: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def told(self, topic: str, partition: int) -> Reached:
        times = {"first_time": to_time(self.first_ms), "last_time": to_time(self.last_ms)} if self.records else {}
        return Reached(topic=topic, partition=partition, start=self.start, end=self.end, records=self.records, **times)


class Tally:
    """What a trailer says, counted line by line: by who writes a recording and by who checks one."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.records = 0
        self.gaps = 0
        self.digest = hashlib.sha256()
        self._filtered = bool(header.selector)
        self._far = {
            (topic.name, one.partition): _Far(one.start, one.start) for topic in header.topics for one in topic.ranges
        }

    def position(self, topic: str, partition: int) -> int:
        """Return the offset up to which a partition was told."""
        return self._far[topic, partition].end

    def line(self, raw: bytes) -> None:
        """Take a line, with its end, into the digest."""
        self.digest.update(raw)

    def record(self, topic: str, partition: int, record: Appended) -> None:
        """Take a record. Raises ``RecordingError`` where it cannot stand here."""
        far = self._follows(topic, partition, record.offset)
        self.records += 1
        if not far.records:
            far.first_ms = record.timestamp
        far.end, far.records, far.last_ms = record.offset + 1, far.records + 1, record.timestamp

    def gap(self, gap: Gap) -> None:
        """Take a gap. Raises ``RecordingError`` where it cannot stand here."""
        self._follows(gap.topic, gap.partition, gap.start).end = gap.end
        self.gaps += 1

    def pass_to(self, topic: str, partition: int, offset: int) -> None:
        """Take note that a partition was read this far, though a filter left records out."""
        far = self._far[topic, partition]
        far.end = max(far.end, offset)

    def trailer(self, *, complete: bool) -> Trailer:
        """Return the trailer of the lines so far."""
        return Trailer(
            complete=complete,
            records=self.records,
            gaps=self.gaps,
            reached=tuple(far.told(*place) for place, far in self._far.items()),
            sha256=self.digest.hexdigest(),
        )

    def _follows(self, topic: str, partition: int, offset: int) -> _Far:
        far = self._far.get((topic, partition))
        if far is None:
            raise RecordingError(f"{topic}[{partition}] is not among what the header says was recorded")
        if offset != far.end and not (self._filtered and offset > far.end):
            raise RecordingError(
                f"{topic}[{partition}]: offset {offset} stands where {far.end} is expected: records are missing, "
                "doubled or out of order, and no gap says why"
            )
        return far


def item_lines(item: Item) -> list[bytes]:
    """Return the lines of a chunk or a gap, each with its end."""
    if isinstance(item, Gap):
        return [shortest({"type": "gap", **item._asdict()}) + b"\n"]
    return [to_line(item.topic, item.partition, record) + b"\n" for record in item.records]


def message_line(message: Header | Trailer) -> bytes:
    """Return the line of a header or trailer, with its end."""
    return message.to_json() + b"\n"


def fields_of(raw: bytes, number: int) -> dict[str, Any]:
    """Return a line's fields. Raises ``RecordingError``."""
    try:
        fields = json.loads(raw)
    except UnicodeDecodeError:
        raise RecordingError(f"line {number} is not text: this is no recording, or a damaged one") from None
    except (ValueError, RecursionError) as cause:
        raise RecordingError(f"line {number} is not JSON ({cause}): this is no recording, or a damaged one") from None
    if not isinstance(fields, dict):
        raise RecordingError(f"line {number} is no JSON object: this is no recording, or a damaged one")
    return fields
