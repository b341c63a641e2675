"""Stories that became golden recordings: ``python -m tests.golden.stories NAME`` records one, once."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from schemas.topics import EVENTS
from services.identity.core.bundle import TrustBundle
from services.processor.core.record import Record
from services.processor.core.rules import Rules
from services.replay.attestation import Attestor
from services.replay.chunks import Chunk, Gap, Why
from services.replay.recording import Header, Range, RecordedTopic, Tally, configuration_digest
from services.replay.redaction import Redactor
from services.replay.refold import Refold
from services.replay.snapshots import Snapshot, beginnings
from services.replay.tape import Writer
from tests.golden.proofs import proofs, small_bundles
from tests.golden.switch import switch
from tests.support.logs import Log, key

FOLDER = Path(__file__).parent
RULES = Rules(window_ms=1000, missed_windows=3, grace_windows=5, brake_least=5, forget_windows=8)


def first_night() -> Log:
    """Return the log that README.md tells of."""
    log, seqs = Log(), dict.fromkeys(range(14), 0)

    def window(silent: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        for who in sorted(seqs.keys() - silent):
            seqs[who] += 1
            log.heartbeat(
                who, seq=seqs[who], introduces="v1.0.0" if seqs[who] % 4 == 0 else None, of=1 if who in anew else 0
            )
        log.tick()

    anew: set[int] = set()
    log.resumed()
    for who in seqs:
        log.connect(who)
    for _ in range(2):
        window()
    log.goodbye(0, seq=99)
    window({0})
    window({0, 1})
    window({0, 1})
    log.append(key(3), b"\xff not JSON")
    log.append(key(3), b'{"v":2,"type":"heartbeat"}')
    log.append(b"not/a-key", b'{"v":1,"type":"disconnect","session":"x","seq":1}')
    log.connect(2, of=1)
    seqs[2] = 0
    anew.add(2)
    log.heartbeat(2, of=0, seq=500)
    log.connect(2, of=0, seq=501)
    for _ in range(4):
        window({0})
    log.tick(window=3)
    for _ in range(5):
        window({0} | set(range(3, 14)))
    log.release()
    window({0} | set(range(3, 14)))
    log.resumed()
    window({0} | set(range(5, 14)))
    for _ in range(12):
        window({0} | set(range(5, 14)))
    return log


def recorded(
    log: Log,
    bundles: tuple[TrustBundle, ...] = (),
    redactor: Redactor | None = None,
    *,
    snapshot: Snapshot | None = None,
    first: int = 0,
    asked: int | None = None,
    rules: Rules = RULES,
) -> bytes:
    """Return a log of one partition as a recording, from offset ``first`` on; what was ``asked`` for before is gone."""
    topic = RecordedTopic(
        name=EVENTS,
        partitions=1,
        ranges=(Range(partition=0, start=first if asked is None else asked, end=len(log.records)),),
        config={"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"},
    )
    known = asdict(rules)
    header = Header(
        cluster="golden",
        topics=(topic,),
        rules=known,
        bundles=bundles,
        snapshot=snapshot,
        redacted=redactor.fingerprint if redactor is not None else None,
        configuration=configuration_digest((topic,), known),
    )
    writer = Writer(Tally(header))
    chunk = Chunk(EVENTS, 0, [Record(*one) for one in log.records[first:]])
    lost = [] if asked is None else [Gap(EVENTS, 0, asked, first, Why.RETENTION)]
    before = b"".join(writer.take(gap) for gap in lost)
    return before + writer.take(redactor.chunk(chunk) if redactor is not None else chunk) + writer.finish(complete=True)


def second_half() -> bytes:
    """Return the first night from its middle on, with the state before it: as `record --with-state` has it."""
    log = first_night()
    middle = len(log.records) // 2
    refold = Refold(RULES)
    for _ in refold.take(Chunk(EVENTS, 0, log.records[:middle])):
        pass
    state = Snapshot(source="the processor's changelog", cluster="golden", partitions=1, parts=refold.parts())
    return recorded(log, snapshot=state, first=beginnings(state)[0].resume)


def newer_agent() -> Log:
    """Return the log in which one workload was updated before the processor was, and speaks a newer version."""
    log = Log()
    log.resumed()
    for who in range(4):
        log.connect(who)
    for seq in range(1, 14):
        for who in range(3):
            log.heartbeat(who, seq=seq)
        if seq < 4:
            log.heartbeat(3, seq=seq)
            log.append(key(3), b'{"v":2,"type":"heartbeat","session":"x","seq":1}')
        else:
            log.append(
                key(3), b'{"v":2,"type":"%s","session":"y","seq":1}' % (b"connect" if seq == 4 else b"heartbeat")
            )
        log.tick()
    return log


def faster_ticks() -> Log:
    """Return a log whose processor called the roll each second: its recorder was given the rules of another one."""
    log = Log()
    log.resumed()
    for who in range(4):
        log.connect(who)
    for seq in range(1, 25):
        for who in range(3):
            log.heartbeat(who, seq=seq)
        log.tick()
    log.goodbye(2, seq=99)
    return log


STORIES: dict[str, Callable[[], bytes]] = {
    "first-night": lambda: recorded(first_night()),
    "second-half": second_half,
    "lost-start": lambda: recorded(first_night(), first=40, asked=0),
    "proofs": lambda: recorded(proofs(), small_bundles()),
    "switch": lambda: recorded(switch(), small_bundles()[:1], rules=Rules()),
    "newer-agent": lambda: recorded(newer_agent()),
    "faster-ticks": lambda: recorded(faster_ticks(), rules=Rules()),
    "proofs-redacted": lambda: recorded(
        proofs(), small_bundles()[:1], Redactor(b"golden" * 6, Attestor(small_bundles()))
    ),
}


def main() -> None:
    """Record the story that is named."""
    name = sys.argv[1]
    with (FOLDER / f"{name}.jsonl.zst").open("xb") as file:
        file.write(STORIES[name]())


if __name__ == "__main__":
    main()
