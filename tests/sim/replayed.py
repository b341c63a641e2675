"""Evidence that a replay equals what was live: ``python -m tests.sim.replayed --seeds 1000``.

A world of the simulation lives with all its faults; its real processors crash, stand still and are taken over. Then its
log is recorded, and the recording is replayed as `muster replay` does it.

Both ways: what was told live is told again, and what is told again was told live. Only of an owner that died may an
outcome be missing live, and only one that a newer outcome of the same workload has overtaken.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from schemas.codec import decode_workload
from schemas.topics import EVENTS, WORKLOADS
from schemas.workloads import Workload
from services.processor.core.record import Record
from services.processor.core.rules import Rules
from services.replay.chunks import Chunk
from services.replay.cluster import home
from services.replay.recording import Header, Range, RecordedTopic, Tally
from services.replay.refold import Refold, Transition
from services.replay.tape import Tape, Writer
from tests.sim import processors
from tests.sim.faults import plan
from tests.sim.processors import RULES
from tests.sim.trust import NameTrust
from tests.sim.world import END_MS, World

AT_ONCE = 97
"""Records of a chunk: so that windows, takeovers and chunks begin at all places of each other."""


FORGETFUL = 2
"""Every so many seeds, the removed are forgotten within the life of the world, which is told by a tombstone."""


class Seen(NamedTuple):
    """What one world came to."""

    seed: int
    differences: list[str]
    records: int
    told: int
    """States that its processors wrote."""
    forgotten: int
    """Tombstones that they wrote."""


class Lived(NamedTuple):
    """A world at its end, and everything that was ever written to its ``muster.workloads``, in order."""

    world: World
    rules: Rules
    written: Sequence[tuple[bytes, bytes | None]]
    """Keys and values, those that compaction took too."""
    deadly: bool
    """A processor may have died with an outcome that it had not told yet."""


def rules_of(seed: int) -> Rules:
    """Return the rules of a seed."""
    return replace(RULES, forget_windows=1) if seed % FORGETFUL == 0 else RULES


def lived(seed: int) -> Lived:
    """Let the world of a seed live to its end."""
    rules, faults = rules_of(seed), plan(seed)
    before, processors.RULES = processors.RULES, rules
    try:
        world = World(seed, faults)
        written = _remembered(world)
        while world.elapsed < END_MS:
            world.step()
        world.end()
    finally:
        processors.RULES = before
    return Lived(world, rules, written, any(one.kind.startswith(("processor.", "broker.", "group.")) for one in faults))


def _remembered(world: World) -> list[tuple[bytes, bytes | None]]:
    written: list[tuple[bytes, bytes | None]] = []
    append = world.log.append

    def remember(topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Any = ()) -> int:  # noqa: ANN401
        if topic == WORKLOADS and key is not None:
            written.append((key, value))
        return append(topic, partition, key, value, headers)

    world.log.append = remember  # type: ignore[method-assign]
    return written


def recording(world: World, rules: Rules = RULES) -> bytes:
    """Return its log as `muster record` writes it."""
    parts = {number: world.log.part(EVENTS, number) for number in range(world.log.count)}
    ranges = tuple(Range(partition=number, start=0, end=part.end) for number, part in parts.items())
    topic = RecordedTopic(name=EVENTS, partitions=world.log.count, ranges=ranges)
    writer = Writer(Tally(Header(cluster="simulated", topics=(topic,), rules=asdict(rules))))
    written = b""
    for number, part in parts.items():
        records = [Record(*one[:4]) for one in part.records]
        for first in range(0, len(records), AT_ONCE):
            written += writer.take(Chunk(EVENTS, number, records[first : first + AT_ONCE]))
    return written + writer.finish(complete=True)


def differences(lived: Lived, rules: Rules | None = None) -> Iterator[str]:
    """Say where a replay of the recorded log, by its own rules or others, is not exactly what was told live."""
    world, rules = lived.world, rules or lived.rules
    refold = Refold(rules, home(world.log.count), trust=NameTrust())
    told: dict[tuple[bytes, int], Workload | None] = {}
    for item in Tape([recording(world, rules)]).items():
        for one in refold.take(item):
            if isinstance(one, Transition):
                told[one.key, one.place.offset] = one.state
                if not one.certain:
                    yield f"{one.key!r} at {one.place}: not certain"
    states, newest = set[tuple[bytes, int]](), dict[bytes, Workload]()
    for key, state in live(lived):
        states.add((key, state.revision))
        if told.get((key, state.revision)) != state:
            yield f"{key!r} at {state.revision}: live {state}, replayed {told.get((key, state.revision))}"
        if key not in newest or newest[key].revision < state.revision:
            newest[key] = state
    yield from _extra(lived, told, states, newest)
    yield from _at_the_end(lived, refold, newest)


def _extra(
    lived: Lived,
    told: dict[tuple[bytes, int], Workload | None],
    states: set[tuple[bytes, int]],
    newest: dict[bytes, Workload],
) -> Iterator[str]:
    """Say what is told again and was never told."""
    tombstones = Counter(key for key, value in lived.written if value is None)
    for (key, offset), state in sorted(told.items(), key=lambda one: one[0]):
        overtaken = lived.deadly and key in newest and newest[key].revision > offset
        if state is not None and (key, offset) not in states and not overtaken:
            yield f"{key!r} at {offset}: replayed {state}, and never told live"
        if state is None and not tombstones[key] and not overtaken:
            yield f"{key!r} at {offset}: forgotten by the replay, and never live"
    forgotten = Counter(key for (key, _), state in told.items() if state is None)
    for key in tombstones.keys() - forgotten.keys():
        yield f"{key!r}: forgotten live, and not by the replay"


def _at_the_end(lived: Lived, refold: Refold, newest: dict[bytes, Workload]) -> Iterator[str]:
    """Say whose last state is another; who is forgotten has none, and a tombstone behind the newest state."""
    replayed = refold.states()
    last: dict[bytes, int | None] = {}
    for key, value in lived.written:
        state = decode_workload(value) if value is not None else None
        if value is None or (isinstance(state, Workload) and state.revision == newest[key].revision):
            last[key] = None if value is None else newest[key].revision
    for key in sorted(newest.keys() | replayed.keys()):
        kept = newest.get(key) if last.get(key) is not None else None
        if kept != replayed.get(key):
            yield f"{key!r} at the end: live {kept}, replayed {replayed.get(key)}"


def live(lived: Lived) -> Iterator[tuple[bytes, Workload]]:
    """Yield every state that was ever in the world's ``muster.workloads``."""
    for key, value in lived.written:
        state = decode_workload(value) if value is not None else None
        if isinstance(state, Workload):
            yield key, state


def seen(seed: int) -> Seen:
    """Let a seed's world live, and replay it."""
    found = lived(seed)
    log = found.world.log
    records = sum(log.part(EVENTS, number).end for number in range(log.count))
    forgotten = sum(value is None for _, value in found.written)
    return Seen(seed, list(differences(found)), records, len(found.written) - forgotten, forgotten)


def main() -> int:
    """Replay many seeds; return 1 where one differs."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, default=1000)
    count = asked.parse_args().seeds
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(seen, range(count), chunksize=20))
    for one in found:
        for words in one.differences:
            sys.stdout.write(f"seed {one.seed}: {words}\n")
    wrong = sum(bool(one.differences) for one in found)
    records, told = sum(one.records for one in found), sum(one.told for one in found)
    forgotten = sum(one.forgotten for one in found)
    sys.stdout.write(
        f"{count} logs, {records} records, {told} states and {forgotten} tombstones told live: {wrong} logs differ "
        "from their replay, in what was told or in what was told again\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
