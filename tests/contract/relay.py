"""A way to a server on which answers get lost."""

import asyncio
from typing import Self

from aiokafka import AIOKafkaProducer

_PRODUCE = 0
"""Kafka's number of the request."""


class Relay:
    """Hands everything on in both directions, until it is silent: then no answer comes back any more."""

    def __init__(self, server: str) -> None:
        self.host, _, port = server.partition(":")
        self.port = int(port)
        self.silent = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()

    @property
    def address(self) -> tuple[str, int]:
        """Where it is reached."""
        host, port = self._server.sockets[0].getsockname()
        return str(host), int(port)

    async def _serve(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far, far_out = await asyncio.open_connection(self.host, self.port)
        self._tasks += [
            asyncio.create_task(self._requests(near, far_out)),
            asyncio.create_task(self._answers(far, near_out)),
        ]

    async def _requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()

    async def _answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self.silent:
                sink.write(data)
                await sink.drain()


class BrokerRelay(Relay):
    """A way to a broker that falls silent once something was produced."""

    def divert(self, producer: AIOKafkaProducer) -> None:
        """Let a started producer reach its broker this way from now on."""
        host, port = self.address
        cluster = producer.client.cluster
        for node, broker in list(cluster._brokers.items()):
            cluster._brokers[node] = broker._replace(host=host, port=port)
        for connection in list(producer.client._conns.values()):
            connection.close()
        producer.client._conns.clear()

    async def _requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while True:
            size = await source.readexactly(4)
            frame = await source.readexactly(int.from_bytes(size, "big"))
            self.silent = self.silent or int.from_bytes(frame[:2], "big") == _PRODUCE
            sink.write(size + frame)
            await sink.drain()
