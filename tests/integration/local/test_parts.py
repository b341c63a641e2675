"""The local stack is real: a Kafka that keeps its records, a Kubernetes API that keeps its objects and collects."""

import asyncio
import subprocess
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.local.crds import kubectl
from services.local.kafka import Kafka
from services.local.kube import Kube
from tests.support.eventually import eventually

LOG_APPEND_TIME = 1


def run(kubeconfig: Path, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl and return what it prints; raises CalledProcessError with its words."""
    command = [kubectl(), "--kubeconfig", str(kubeconfig), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout


async def create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    config = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=config)])
    await admin.close()


async def first(bootstrap: str, topic: str) -> tuple[bytes, int, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    try:
        record = await asyncio.wait_for(consumer.getone(), 20)
    finally:
        await consumer.stop()
    return record.value, record.timestamp, record.timestamp_type


async def test_a_record_gets_the_brokers_time_and_outlives_a_crash_of_the_broker(kafka_process: Kafka) -> None:
    """Restarted after SIGKILL, the broker is on the same port with the same record."""
    bootstrap = kafka_process.bootstrap_servers
    await create(bootstrap, "roll")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait("roll", b"here", timestamp_ms=1)
    await producer.stop()
    before = await first(bootstrap, "roll")
    await kafka_process.kill()
    assert await kafka_process.start() == bootstrap
    assert await first(bootstrap, "roll") == before
    value, timestamp, kind = before
    assert (value, kind) == (b"here", LOG_APPEND_TIME)
    assert timestamp > 1


GROUP = """
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: ratings, namespace: default}
spec: {template: {serviceAccount: ratings}}
"""
OWNED = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: owned
  namespace: default
  ownerReferences:
  - {apiVersion: networking.istio.io/v1, kind: WorkloadGroup, name: ratings, uid: UID}
"""


async def test_the_api_serves_istios_groups_and_collects_what_they_own(kube: Path) -> None:
    run(kube, "apply", "-f", "-", stdin=GROUP)
    uid = run(kube, "get", "workloadgroup", "ratings", "-o", "jsonpath={.metadata.uid}")
    run(kube, "apply", "-f", "-", stdin=OWNED.replace("UID", uid))
    run(kube, "delete", "workloadgroup", "ratings")

    async def collected() -> bool:
        return "owned" not in run(kube, "get", "configmaps", "-o", "name")

    await eventually(collected, "the garbage collector to take what the group owned", within_s=60)


async def test_an_api_that_is_ready_knows_every_custom_resource(kube_process: Kube) -> None:
    """Discovery and OpenAPI lag behind `Established`; who waited for the API need not wait again."""
    for kind in ("workloadgroup", "workloadentry", "war"):
        run(kube_process.kubeconfig, "get", kind, "--all-namespaces")
        assert "FIELD" in run(kube_process.kubeconfig, "explain", f"{kind}.spec")


async def test_objects_and_credentials_outlive_a_crash_of_the_api(kube_process: Kube) -> None:
    kubeconfig = kube_process.kubeconfig
    run(kubeconfig, "create", "namespace", "kept")
    before = kubeconfig.read_text()
    await kube_process.kill()
    await kube_process.start()
    assert kubeconfig.read_text() == before
    assert "namespace/kept" in run(kubeconfig, "get", "namespaces", "-o", "name")
