"""Evidence that a replay equals what was live: ``python -m tests.sim.replayed --seeds 1000``.

A world of the simulation lives with all its faults; its real processors crash, stand still and are taken over. Then its
log is recorded, and the recording is replayed as `muster replay` does it.
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from typing import NamedTuple

from schemas.codec import decode_workload
from schemas.topics import EVENTS, WORKLOADS
from schemas.workloads import Workload
from services.processor.core.record import Record
from services.replay.chunks import Chunk
from services.replay.cluster import home
from services.replay.recording import Header, Range, RecordedTopic, Tally
from services.replay.refold import Refold, Transition
from services.replay.tape import Tape, Writer
from tests.sim.faults import plan
from tests.sim.processors import RULES
from tests.sim.trust import NameTrust
from tests.sim.world import END_MS, World

AT_ONCE = 97
"""Records of a chunk: so that windows, takeovers and chunks begin at all places of each other."""


class Seen(NamedTuple):
    """What one world came to."""

    seed: int
    differences: list[str]
    records: int
    told: int
    """States that its processors wrote."""


def lived(seed: int) -> World:
    """Return the world of a seed at its end."""
    world = World(seed, plan(seed))
    while world.elapsed < END_MS:
        world.step()
    world.end()
    return world


def recording(world: World) -> bytes:
    """Return its log as `muster record` writes it."""
    parts = {number: world.log.part(EVENTS, number) for number in range(world.log.count)}
    ranges = tuple(Range(partition=number, start=0, end=part.end) for number, part in parts.items())
    topic = RecordedTopic(name=EVENTS, partitions=world.log.count, ranges=ranges)
    writer = Writer(Tally(Header(cluster="simulated", topics=(topic,), rules=asdict(RULES))))
    written = b""
    for number, part in parts.items():
        records = [Record(*one[:4]) for one in part.records]
        for first in range(0, len(records), AT_ONCE):
            written += writer.take(Chunk(EVENTS, number, records[first : first + AT_ONCE]))
    return written + writer.finish(complete=True)


def differences(world: World) -> Iterator[str]:
    """Say where a replay of the recorded log is not exactly what the world's processors told."""
    refold = Refold(RULES, home(world.log.count), trust=NameTrust())
    told: dict[tuple[bytes, int], Workload | None] = {}
    for item in Tape([recording(world)]).items():
        for one in refold.take(item):
            if isinstance(one, Transition):
                told[one.key, one.place.offset] = one.state
                if not one.certain:
                    yield f"{one.key!r} at {one.place}: not certain"
    newest: dict[bytes, Workload] = {}
    for key, state in live(world):
        if told.get((key, state.revision)) != state:
            yield f"{key!r} at {state.revision}: live {state}, replayed {told.get((key, state.revision))}"
        if key not in newest or newest[key].revision < state.revision:
            newest[key] = state
    replayed = refold.states()
    for key in sorted(newest.keys() | replayed.keys()):
        if newest.get(key) != replayed.get(key):
            yield f"{key!r} at the end: live {newest.get(key)}, replayed {replayed.get(key)}"


def live(world: World) -> Iterator[tuple[bytes, Workload]]:
    """Yield every state that is in the world's ``muster.workloads``."""
    for number in range(world.log.count):
        for record in world.log.part(WORKLOADS, number).records:
            state = decode_workload(record.value) if record.value is not None else None
            if isinstance(state, Workload) and record.key is not None:
                yield record.key, state


def seen(seed: int) -> Seen:
    """Let a seed's world live, and replay it."""
    world = lived(seed)
    records = sum(world.log.part(EVENTS, number).end for number in range(world.log.count))
    return Seen(seed, list(differences(world)), records, sum(1 for _ in live(world)))


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
    sys.stdout.write(
        f"{count} logs, {records} records, {told} states told live: {wrong} logs differ from their replay\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
