"""A log to measure against: proven connects, heartbeats with their links, the ticks between, on the real broker."""

import asyncio
import secrets
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from schemas.credentials import Credential, Proof
from schemas.events import (
    Address,
    AddressType,
    AgentSoftware,
    Connect,
    Heartbeat,
    Host,
    Introduction,
    Istio,
    Registration,
    Sidecar,
    Tick,
    Trusted,
    WorkloadReport,
)
from schemas.identity import AwsIdentity, Ec2Instance, Identity
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS
from services.agent.core.chain import LINK_BYTES, HashChain
from services.identity.issuing import Mint
from services.runtime import kafka
from services.runtime.config import KafkaSettings

PER_WINDOW = 2
"""Heartbeats of a workload in a window: every 5 s in windows of 10 s."""
INTRODUCED_EVERY = 36
"""Of so many heartbeats one repeats the introduction: every 3 minutes at one in 5 s."""


class Load(NamedTuple):
    """What was written: ``ends`` is the offset after the last record of each partition."""

    workloads: int
    heartbeats: int
    ends: dict[int, int]

    @property
    def records(self) -> int:
        """All records, with connects and ticks."""
        return sum(self.ends.values())

    @property
    def joined(self) -> int:
        """How many records are read, at most, until all connects were: chunk by chunk of the partitions in turn."""
        return 2000 * len(self.ends) + self.workloads


class Speaker:
    """One agent, as far as its records go; without a mint it proves nothing and shows no links."""

    def __init__(self, number: int, mint: Mint | None) -> None:
        self.introduction = introduction(number)
        self.key = self.introduction.key.to_bytes()
        self.session = str(uuid.uuid4())
        self.seq = number % INTRODUCED_EVERY
        self._shown = Credential(ec2=mint.ec2(instance(number))) if mint is not None else None
        self._chain = HashChain.of(secrets.token_bytes(LINK_BYTES), self.seq) if mint is not None else None

    def connect(self, now: datetime) -> bytes:
        """Return what its session begins with."""
        event = Connect(
            session=self.session, seq=self.seq, workload=self.introduction, proof=self._proof(), sent_at=now
        )
        return event.to_json()

    def heartbeat(self, now: datetime) -> bytes:
        """Return its next heartbeat."""
        self.seq += 1
        introduces = self.seq % INTRODUCED_EVERY == 0
        chain = self._chain
        if chain is not None and chain.over_soon(self.seq):
            self._chain = HashChain.of(secrets.token_bytes(LINK_BYTES), self.seq)
        event = Heartbeat(
            session=self.session,
            seq=self.seq,
            link=chain.link(self.seq) if chain is not None else None,
            chain=self._chain.seen_from(self.seq) if self._chain is not None and self._chain is not chain else None,
            workload=self.introduction if introduces else None,
            proof=self._proof() if introduces else None,
            sent_at=now,
        )
        return event.to_json()

    def _proof(self) -> Proof | None:
        if self._shown is None or self._chain is None:
            return None
        return Proof(credential=self._shown, chain=self._chain.seen_from(self.seq))


def instance(number: int) -> str:
    """Return the id of the machine of this number."""
    return f"i-{number:017x}"


def introduction(number: int) -> Introduction:
    """Return an introduction of the usual size."""
    aws = AwsIdentity(
        partition="aws",
        account="123456789012",
        region="us-east-2",
        zone="us-east-2b",
        ec2=Ec2Instance(instance_id=instance(number)),
    )
    host = Host(addresses=(Address(ip=f"10.1.{number // 250 % 250}.{number % 250}", type=AddressType.VPC),))
    registration = Registration(
        agent=AgentSoftware(version="v1.4.0"),
        host=host,
        sidecar=Sidecar(istio=Istio(version="1.9.8-15bc6e5e32")),
        workload=WorkloadReport(labels={"version": "v5"}),
    )
    return Introduction(namespace="bookinfo", group="ratings", identity=Identity(aws=aws), registration=registration)


async def fill(settings: KafkaSettings, workloads: int, heartbeats: int, pause_s: float, mint: Mint | None) -> Load:
    """Append the log of machines that ``mint`` signs for to an empty ``muster.events``; a pause lies between ticks."""
    trusted = mint.bundle().digest if mint is not None else None
    partitions = await kafka.partition_count(settings, EVENTS)
    homes: list[list[Speaker]] = [[] for _ in range(partitions)]
    partitioner = DefaultPartitioner()
    everyone = list(range(partitions))
    for number in range(workloads):
        workload = Speaker(number, mint)
        homes[partitioner(workload.key, everyone, everyone)].append(workload)
    producer = await kafka.producer(settings, enable_idempotence=False, max_batch_size=256 * 1024, linger_ms=0)
    try:
        ends = await asyncio.gather(
            *(
                _fill_partition(producer, n, home, heartbeats / workloads, pause_s, trusted)
                for n, home in enumerate(homes)
            )
        )
    finally:
        await producer.stop()
    return Load(workloads, sum(sent for sent, _ in ends), {n: end for n, (_, end) in enumerate(ends)})


async def _fill_partition(
    producer: AIOKafkaProducer, partition: int, home: Sequence[Speaker], each: float, pause_s: float, bundle: str | None
) -> tuple[int, int]:
    """Return how many heartbeats were written, and the partition's end."""
    owner = str(uuid.uuid4())
    now = datetime.now(UTC)
    if bundle is not None:
        await _append(producer, partition, [(CONTROL_KEY, Trusted(bundle=bundle, owner=owner).to_json())])
    end = await _append(producer, partition, [(w.key, w.connect(now)) for w in home])
    sent = 0
    for window in range(max(1, round(each / PER_WINDOW))):
        began = time.monotonic()
        now = datetime.now(UTC)
        beats = [(w.key, w.heartbeat(now)) for _ in range(PER_WINDOW) for w in home]
        sent += len(beats)
        await _append(producer, partition, beats)
        await asyncio.sleep(max(0.0, began + pause_s - time.monotonic()))
        end = await _append(producer, partition, [(CONTROL_KEY, Tick(window=window, owner=owner).to_json())])
    return sent, end


async def _append(producer: AIOKafkaProducer, partition: int, records: Sequence[tuple[bytes, bytes]]) -> int:
    """Append in order and return the offset after the last."""
    end = 0
    batch = producer.create_batch()
    for key, value in records:
        if batch.append(key=key, value=value, timestamp=None) is None:
            end = await _send(producer, batch, partition)
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    return await _send(producer, batch, partition) or end


async def _send(producer: AIOKafkaProducer, batch: object, partition: int) -> int:
    count: int = batch.record_count()  # type: ignore[attr-defined]
    if not count:
        return 0
    told = await (await producer.send_batch(batch, EVENTS, partition=partition))
    return int(told.offset) + count
