"""What tests of agents share: the topics read and answered from the other side, and agents as real processes."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import topics
from schemas.codec import Rejection, decode_event
from schemas.events import AgentEvent, Connect, Disconnect, Heartbeat
from schemas.registrations import Ended, EndReason, Refused, Registered
from schemas.resource import GroupSnapshot
from services.agent.clients import place
from services.agent.fleet import machine
from services.agent.introduction import introduce
from services.agent.settings import ReportSettings
from services.runtime.config import KafkaSettings
from services.runtime.kafka import close
from services.runtime.topics import apply
from tests.support.eventually import eventually
from tests.support.sessions import CREDENTIAL

PROGRAM = "from services.cli.main import main; main()"


class Wire:
    """The other side of the topics: what agents said, by key, and a pen for answers."""

    def __init__(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
        self._consumer = consumer
        self._producer = producer
        self._events: dict[bytes, list[AgentEvent]] = {}

    async def said(self, key: bytes) -> list[AgentEvent]:
        """Return everything said under a key so far; what is no valid event fails the test."""
        for chunk in (await self._consumer.getmany(timeout_ms=50)).values():
            for record in chunk:
                event = decode_event(record.key, record.value)
                assert not isinstance(event, Rejection), event
                assert isinstance(event, Connect | Heartbeat | Disconnect)
                self._events.setdefault(record.key, []).append(event)
        return self.seen(key)

    def seen(self, key: bytes) -> list[AgentEvent]:
        """Return what was read under a key, without reading on."""
        return self._events.get(key, [])

    async def connects(self, key: bytes, number: int = 1) -> list[Connect]:
        """Wait for at least so many connects under a key."""

        async def enough() -> list[Connect] | None:
            found = [event for event in await self.said(key) if isinstance(event, Connect)]
            return found if len(found) >= number else None

        return await eventually(enough, f"{number} connects of {key.decode()}")

    async def heartbeats(self, key: bytes, number: int) -> list[Heartbeat]:
        """Wait for at least so many heartbeats of the newest session under a key."""

        async def enough() -> list[Heartbeat] | None:
            events = await self.said(key)
            found = [e for e in events if isinstance(e, Heartbeat) and e.session == events[-1].session]
            return found if len(found) >= number else None

        return await eventually(enough, f"{number} heartbeats of {key.decode()}")

    async def until_goodbye(self, key: bytes) -> list[AgentEvent]:
        """Wait for the goodbye, and return everything said under the key."""

        async def gone() -> list[AgentEvent] | None:
            events = await self.said(key)
            return events if events and isinstance(events[-1], Disconnect) else None

        return await eventually(gone, f"the goodbye of {key.decode()}")

    async def place(self, key: bytes) -> int:
        """Return the partition that a workload's key is placed in."""
        return place(key, len(await self._producer.partitions_for("muster.registrations")))

    async def answer(self, key: bytes, answer: Registered | Refused | Ended) -> None:
        """Publish an answer as the sink does."""
        await self._producer.send_and_wait(topics.REGISTRATIONS, answer.to_json(), key=key)


@pytest_asyncio.fixture(loop_scope="session")
async def wire(kafka_address: str) -> AsyncIterator[Wire]:
    """Read events from now on, and answer."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_address, enable_auto_commit=False)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_address)
    await consumer.start()
    await producer.start()
    places = [TopicPartition(topics.EVENTS, number) for number in range(topics.DEFAULT_PARTITIONS)]
    consumer.assign(places)
    for where, offset in (await consumer.end_offsets(places)).items():
        consumer.seek(where, offset)
    yield Wire(consumer, producer)
    await close(producer)
    await close(consumer)


class AgentProcess:
    """``muster agent`` as a process of its own, with its log in a file."""

    def __init__(self, folder: Path, config: dict[str, object]) -> None:
        self.log_file = folder / "agent.log"
        path = folder / "agent.yaml"
        path.write_text(yaml.safe_dump(config))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "agent", "--config", str(path)], stdout=log, stderr=log, env=environment
            )

    @property
    def log(self) -> str:
        """Everything logged so far."""
        return self.log_file.read_text()

    async def logged(self, words: str, times: int = 1) -> None:
        """Wait until a line with these words was logged."""

        async def there() -> bool:
            return self.log.count(words) >= times

        await eventually(there, f"the agent to log {words!r}")

    async def ended(self) -> int:
        """Wait for the end of the process, and return its exit code."""

        async def code() -> tuple[int] | None:
            found = self.process.poll()
            return None if found is None else (found,)

        return (await eventually(code, "the agent to exit"))[0]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[[dict[str, object]], AgentProcess]]:
    """Start agents that do not outlive the test."""
    started: list[AgentProcess] = []

    def start(config: dict[str, object]) -> AgentProcess:
        folder = tmp_path / f"agent-{len(started)}"
        folder.mkdir()
        started.append(AgentProcess(folder, config))
        return started[-1]

    yield start
    for agent in started:
        if agent.process.poll() is None:
            agent.process.kill()
            agent.process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kafka_address(kafka: str) -> str:
    """Where this module's Kafka listens, with Muster's topics."""
    await topics_exist(kafka)
    return kafka


async def topics_exist(kafka_address: str) -> None:
    """Create Muster's topics."""
    settings = KafkaSettings(bootstrap_servers=kafka_address)
    await apply(settings, topics.DEFAULT_PARTITIONS, replication_factor=1)


_numbers = itertools.count(1)
SNAPSHOT = GroupSnapshot(name="ratings", uid="g", generation=1, resource_version="7")


class Machine:
    """A machine of its own for each test: its identity, its key, the agent's configuration."""

    def __init__(self, kafka_address: str, tmp_path_factory: pytest.TempPathFactory) -> None:
        found = machine(seed=77, number=next(_numbers))
        introduction = introduce("bookinfo", "ratings", found, ReportSettings())
        self.key = introduction.key.to_bytes()
        self.name = introduction.key.war_name
        identity = tmp_path_factory.mktemp("identity") / "identity.json"
        identity.write_bytes(
            b'{"identity": ' + found.identity.to_json() + b', "credential": ' + CREDENTIAL.to_json() + b"}"
        )
        self.config: dict[str, object] = {
            "namespace": "bookinfo",
            "workload_group": "ratings",
            "identity": {"file": str(identity)},
            "kafka": {"bootstrap_servers": kafka_address},
            "pacing": {"heartbeat_seconds": 0.2, "backoff_seconds": 0.2, "drain_seconds": 3},
            "report": {"labels": {"version": "v5"}},
            "state_dir": str(identity.parent / "state"),
            "log": {"format": "json"},
        }

    def registered(self, session: str, uid: str = "u1") -> Registered:
        """Return the sink's word that it has a WorkloadAutoRegistration."""
        return Registered(session=session, namespace="bookinfo", name=self.name, uid=uid, snapshot=SNAPSHOT)

    def ended(self, session: str) -> Ended:
        """Return the sink's word that somebody deleted it."""
        return Ended(session=session, uid="u1", reason=EndReason.DELETED, message="by a person")


@pytest.fixture
def vm(kafka_address: str, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(kafka_address, tmp_path_factory)


Launch = Callable[[dict[str, object]], AgentProcess]
