"""Faust's producer, made to keep what its commits promise: an offset is committed after all before it is durable.

Faust's own ``ProducerBuffer.flush`` returns after 100 ms without progress and its failed sends are only logged. So
nothing of ours goes through that buffer: records are handed to aiokafka's producer, in order, and each is answered
for. A record that fails for good crashes the worker; what it folded since the last commit is folded again.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from faust.transport.drivers import aiokafka as driver

from services.processor import metrics
from services.runtime.config import KafkaSettings

MAX_BATCH_BYTES = 128 * 1024
MAX_REQUEST_BYTES = 8 * 1024 * 1024
"""As much as the changelog takes in one record (schemas.topics): a partition's row names everybody who is missing."""


class SendError(Exception):
    """A record could not be written and will not be tried again."""


class Producer(driver.Producer):  # type: ignore[misc]  # Faust has no usable types
    """Writes effects; made by ``transport.Transport``, which gives it the settings."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on to Faust
        super().__init__(*args, **kwargs)
        self._kafka: KafkaSettings = self.transport.kafka
        self._fatal: Callable[[BaseException], None] = self.transport.fatal
        self._outstanding: set[asyncio.Future[Any]] = set()
        self._failure: SendError | None = None

    def _new_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        if transactional_id is not None:
            raise AssertionError("Muster is at-least-once: it uses no transactions")
        # Idempotent, so that a retry neither doubles nor overtakes, and a batch under way waits for the broker
        # instead of expiring: rows reach the changelog in fold order.
        return AIOKafkaProducer(
            **self._kafka.client_args(),
            client_id="muster-processor",
            acks="all",
            enable_idempotence=True,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
        )

    async def post(
        self,
        topic: str,
        partition: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> None:
        """Hand a record over; it is written in order per partition, or the worker crashes."""
        sent = await self._ensure_producer().send(topic, value, key=key, partition=partition, headers=headers)
        self._outstanding.add(sent)
        sent.add_done_callback(self._answered)
        metrics.EFFECTS.labels(topic).inc()

    def _answered(self, sent: asyncio.Future[Any]) -> None:
        self._outstanding.discard(sent)
        cause = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if cause is not None and self._failure is None:
            self._failure = SendError(f"an effect could not be written: {cause!r}")
            self._failure.__cause__ = cause
            self._fatal(self._failure)

    async def append(self, topic: str, partition: int, key: bytes, value: bytes) -> int:
        """Write one record and return its offset; raise KafkaError if it cannot be written. Nobody crashes for it."""
        sent = await self._ensure_producer().send_and_wait(topic, value, key=key, partition=partition)
        return int(sent.offset)

    async def flush(self) -> None:
        """Return when everything handed over until now is durable; raise SendError if something is not."""
        if self._outstanding:
            await asyncio.wait(set(self._outstanding))
        if self._failure is not None:
            raise self._failure
