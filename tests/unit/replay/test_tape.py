"""Recordings: what is written comes back, and whatever is not whole is told."""

import re
from contextlib import suppress
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.processor.core.record import Appended, Record
from services.replay import tape as tapes
from services.replay.chunks import Chunk, Gap, Item, Why
from services.replay.frames import frames, pack
from services.replay.recording import Header, Range, RecordedTopic, RecordingError, Tally, item_lines
from services.replay.tape import Remains, Tape, Writer
from tests.support.logs import Log

TOPIC = "muster.events"


def header(end: int, selector: str = "") -> Header:
    topic = RecordedTopic(name=TOPIC, partitions=1, ranges=(Range(partition=0, start=0, end=end),))
    return Header(cluster="one", topics=(topic,), selector=selector)


def written(items: list[Item], end: int) -> bytes:
    writer = Writer(Tally(header(end)))
    return b"".join(writer.take(item) for item in items) + writer.finish(complete=True)


def read(raw: bytes) -> list[Appended]:
    return [record for item in Tape([raw]).items() if isinstance(item, Chunk) for record in item.records]


def a_log(count: int = 40) -> list[Record]:
    log = Log()
    log.connect(1)
    for seq in range(count):
        log.heartbeat(1, seq=seq + 1)
    log.tick()
    return [Record(*record) for record in log.records]


_bytes = st.none() | st.binary(max_size=20)
_records = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2**45), _bytes, _bytes), max_size=20)


@given(_records)
def test_what_is_recorded_comes_back(drawn: list[tuple[int, int, bytes | None, bytes | None]]) -> None:
    items: list[Item] = []
    offset = 0
    for step, timestamp, key, value in drawn:
        if step > 1:
            items.append(Gap(TOPIC, 0, offset, offset + step - 1, Why.MARKERS))
            offset += step - 1
        items.append(Chunk(TOPIC, 0, [Record(offset, timestamp, key, value)]))
        offset += 1
    raw = written(items, offset)
    tape = Tape([raw])
    found = list(tape.items())
    assert [item for item in found if isinstance(item, Gap)] == [item for item in items if isinstance(item, Gap)]
    assert read(raw) == [item.records[0] for item in items if isinstance(item, Chunk)]
    assert tape.trailer is not None
    assert tape.trailer.records == len(drawn)


@pytest.fixture
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tapes, "FRAME_BYTES", 1000)


@pytest.mark.usefixtures("small_frames")
@pytest.mark.parametrize("unpacked", [False, True])
def test_a_recording_cut_anywhere_is_told_to_be_cut(unpacked: bool) -> None:  # noqa: FBT001
    records = a_log()
    raw = written([Chunk(TOPIC, 0, [record]) for record in records], len(records))
    if unpacked:
        raw = b"".join(frame.lines for frame in frames([raw]))
    assert read(raw) == records
    # Without the last newline every line is still there, and the trailer vouches for them.
    for cut in range(len(raw) - unpacked):
        with pytest.raises(RecordingError, match=r"cut off|empty|line 1|not JSON"):
            read(raw[:cut])


@pytest.mark.usefixtures("small_frames")
@given(st.data())
@settings(max_examples=200)
def test_a_recording_with_one_byte_changed_is_never_read_to_its_end(data: st.DataObject) -> None:
    records = a_log(10)
    raw = bytearray(written([Chunk(TOPIC, 0, records)], len(records)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    with suppress(RecordingError):
        assert read(bytes(raw)) == records  # a bit of zstd's own that carries nothing


@pytest.mark.usefixtures("small_frames")
def test_the_rest_of_a_cut_recording_is_written_behind_what_is_whole() -> None:
    """Wherever it was cut, and the result is the recording that was never cut."""
    records = a_log()
    raw = written([Chunk(TOPIC, 0, [record]) for record in records], len(records))
    resumed = 0
    for cut in range(0, len(raw), 7):
        try:
            remains = Remains([raw[:cut]])
        except RecordingError:
            continue
        resumed += 1
        writer = Writer(remains.tally, begun=True)
        position = remains.tally.position(TOPIC, 0)
        rest = writer.take(Chunk(TOPIC, 0, records[position:])) if records[position:] else b""
        assert read(raw[: remains.keep] + rest + writer.finish(complete=True)) == records
    assert resumed > 50


def test_the_header_is_ready_to_be_written_before_any_record() -> None:
    """Whatever kills the process then, there is something to go on from."""
    records = a_log()
    writer = Writer(Tally(header(len(records))))
    opening = writer.flush()
    assert Remains([opening]).tally.header == header(len(records))
    assert writer.take(Chunk(TOPIC, 0, records[:3])) == b""
    assert Remains([opening + writer.flush()]).tally.position(TOPIC, 0) == 3


def advised(raw: bytes) -> str:
    with pytest.raises(RecordingError) as told:
        read(raw)
    return str(told.value)


def followed(raw: bytes, advice: str) -> str:
    """Do as the advice says; return what it leads to."""
    if re.search(r"record (it|them) again|this is no recording", advice):
        return "anew"
    if truncate := re.search(r"truncate -s (\d+) FILE, then", advice):
        raw = raw[: int(truncate[1])]
    assert "muster record --resume FILE" in advice
    return "complete" if Remains([raw]).complete else "resumed"


@pytest.mark.usefixtures("small_frames")
def test_what_is_advised_of_a_cut_recording_can_be_done_and_keeps_what_there_is() -> None:
    records = a_log()
    raw = written([Chunk(TOPIC, 0, [record]) for record in records], len(records))
    ends = [frame.end for frame in frames([raw])]
    for cut in range(len(raw)):
        assert followed(raw[:cut], advised(raw[:cut])) == ("resumed" if cut >= ends[0] else "anew")
    lines = b"".join(frame.lines for frame in frames([raw]))
    assert followed(lines[:2000], advised(lines[:2000])) == "anew"
    with pytest.raises(RecordingError, match="not compressed"):
        Remains([lines[:2000]])


@pytest.mark.usefixtures("small_frames")
def test_what_is_advised_of_a_damaged_recording_can_be_done_and_keeps_what_lies_before() -> None:
    records = a_log()
    raw = written([Chunk(TOPIC, 0, [record]) for record in records], len(records))
    ends = [frame.end for frame in frames([raw])]
    for place, bit in product(range(0, len(raw), 5), (0x01, 0x80)):
        bad = bytearray(raw)
        bad[place] ^= bit
        with suppress(RecordingError):
            assert read(bytes(bad)) == records  # a bit of zstd's own that carries nothing
            continue
        assert followed(bytes(bad), advised(bytes(bad))) == ("resumed" if place >= ends[0] else "anew")


def test_a_recording_that_was_packed_anew_is_replayed_but_not_gone_on_with() -> None:
    """Its trailer has no frame of its own: to go on behind it would cut off everything."""
    records = a_log()
    writer = Writer(Tally(header(len(records))))
    raw = writer.take(Chunk(TOPIC, 0, records[:5])) + writer.finish(complete=False)
    anew = pack(b"".join(frame.lines for frame in frames([raw])))
    assert read(anew) == records[:5]
    with pytest.raises(RecordingError, match="packed by another program"):
        Remains([anew])


def test_an_interrupted_recording_is_whole_and_says_that_it_is_not_all() -> None:
    records = a_log()
    writer = Writer(Tally(header(len(records))))
    raw = writer.take(Chunk(TOPIC, 0, records[:5])) + writer.finish(complete=False)
    tape = Tape([raw])
    assert sum(len(item.records) for item in tape.items() if isinstance(item, Chunk)) == 5
    assert tape.trailer is not None
    assert not tape.trailer.complete
    assert Remains([raw]).tally.position(TOPIC, 0) == 5


def test_a_record_left_out_without_a_word_is_an_error() -> None:
    records = a_log(5)
    raw = b"".join(frame.lines for frame in frames([written([Chunk(TOPIC, 0, records)], len(records))]))
    lines = raw.splitlines(keepends=True)
    for number in range(1, len(lines)):
        with pytest.raises(RecordingError):
            read(b"".join([*lines[:number], *lines[number + 1 :]]))
    for one, other in pairwise(range(1, len(lines))):
        swapped = list(lines)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        with pytest.raises(RecordingError):
            read(b"".join(swapped))


def test_a_recording_of_a_later_format_is_refused_with_what_to_do() -> None:
    with pytest.raises(RecordingError, match="v2; this Muster reads v1: use a newer one"):
        Tape([b'{"v":2,"type":"recording"}\n'])


@pytest.mark.parametrize(
    "raw", [b"", b"hello\n", b"[]\n", b'{"kind":"List"}\n', b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08\x00"]
)
def test_something_else_is_refused(raw: bytes) -> None:
    with pytest.raises(RecordingError):
        Tape([raw])


def test_bare_lines_are_read_and_what_is_missing_among_them_shows() -> None:
    records = a_log(3)
    kept = [records[0], *records[2:]]
    raw = b"".join(item_lines(Chunk(TOPIC, 0, kept))).rstrip(b"\n")
    items = list(Tape([raw]).items())
    assert [item for item in items if isinstance(item, Gap)] == [Gap(TOPIC, 0, 1, 2, Why.UNKNOWN)]
    assert read(raw) == kept
