"""A log as a fleet would write it, put into a real ``muster.events``: workloads that come, fall silent and go."""

import asyncio
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from schemas.events import Introduction, Tick
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from tests.support.logs import introduction
from tests.support.proofs import ProvenSession

Entry = tuple[bytes, bytes]


def home(key: bytes, partitions: int) -> int:
    """Return the partition that agents write ``key`` to."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


@dataclass
class Member:
    """One workload and its agent; which session it has follows from its number and how often it came."""

    number: int
    came: int = 0
    _living: ProvenSession | None = None
    introduction: Introduction = field(init=False)
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.introduction = introduction(self.number)
        self.key = self.introduction.key.to_bytes()

    @property
    def session(self) -> str:
        """UUID of the present session."""
        return str(uuid.UUID(int=self.number << 32 | self.came))

    def connect(self) -> Entry:
        """Return the first event of a new session, the heir of the one before."""
        self.came += 1
        self._living = ProvenSession(self.introduction, self.session, self._living)
        return self.key, self._living.connect().to_json()

    def heartbeat(self) -> Entry:
        """Return the next heartbeat, now and then with the whole introduction."""
        living = self._now()
        return self.key, living.heartbeat(introduces=living.seq % 10 == 9).to_json()

    def goodbye(self) -> Entry:
        """Return the last event of the session."""
        return self.key, self._now().goodbye().to_json()

    def _now(self) -> ProvenSession:
        if self._living is None:
            raise AssertionError("no session has begun")
        return self._living

    def window(self, number: int, beats: int) -> Iterator[Entry]:
        """Yield what the agent says in window ``number``; what happens to it follows from its own number."""
        if number == 0 or (number == 8 and self.number % 11 == 5) or (number == 14 and self.number % 7 == 3):
            yield self.connect()
        if self.number % 11 == 5 and 5 <= number < 8:
            if number == 5:
                yield self.goodbye()
            return
        if self.number % 7 == 3 and 4 <= number < 14:
            return  # silent: absent, and removed before it comes back
        if self.number % 5 == 2 and number % 4 == 1:
            return  # misses one window now and then
        for _ in range(beats):
            yield self.heartbeat()


async def write(producer: AIOKafkaProducer, partition: int, entries: Iterable[Entry]) -> int:
    """Append to one partition in order; return the offset of the last (-1: there was none)."""
    sent = [await producer.send(EVENTS, value, key=key, partition=partition) for key, value in entries]
    return (await asyncio.gather(*sent))[-1].offset if sent else -1


async def tell(producer: AIOKafkaProducer, partition: int, members: list[Member], number: int, beats: int) -> int:
    """Write one window and its tick; return the offset of the tick."""
    await write(producer, partition, [entry for member in members for entry in member.window(number, beats)])
    tick = Tick(window=number, owner=str(uuid.UUID(int=7)))
    return await write(producer, partition, [(CONTROL_KEY, tick.to_json())])
