"""The network of the faults does what its weather says, and nothing to what it carries."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from services.local.ports import free
from tests.chaos.links import HOST, Link, Weather


@pytest.fixture
async def link() -> AsyncIterator[tuple[Link, int]]:
    """A link to a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    behind, port = free(), free()
    made = Link(behind)
    async with await asyncio.start_server(echo, HOST, behind), await asyncio.start_server(made.accept, HOST, port):
        yield made, port


async def _hear(reader: asyncio.StreamReader, count: int, within_s: float = 5) -> bytes:
    return await asyncio.wait_for(reader.readexactly(count), within_s)


async def test_in_fair_weather_everything_arrives_in_order(link: tuple[Link, int]) -> None:
    reader, writer = await asyncio.open_connection(HOST, link[1])
    sent = bytes(range(256)) * 2000
    writer.write(sent)
    assert await _hear(reader, len(sent)) == sent
    writer.close()


async def test_what_is_delayed_arrives_as_much_later_each_way(link: tuple[Link, int]) -> None:
    link[0].become(Weather(delay_ms=60), 0)
    reader, writer = await asyncio.open_connection(HOST, link[1])
    began = time.monotonic()
    writer.write(b"hello")
    assert await _hear(reader, 5) == b"hello"
    assert time.monotonic() - began >= 0.12
    writer.close()


async def test_what_was_sent_into_silence_arrives_after_it(link: tuple[Link, int]) -> None:
    reader, writer = await asyncio.open_connection(HOST, link[1])
    link[0].become(Weather(silent=True), 0)
    writer.write(b"hello")
    with pytest.raises(TimeoutError):
        await _hear(reader, 5, within_s=0.2)
    link[0].become(Weather(), 0)
    second = reader.readexactly(5)
    assert await asyncio.wait_for(second, 5) == b"hello"
    writer.close()


async def test_a_cut_ends_connections_and_lets_new_ones_be_made(link: tuple[Link, int]) -> None:
    reader, writer = await asyncio.open_connection(HOST, link[1])
    writer.write(b"hello")
    await _hear(reader, 5)
    link[0].become(Weather(cut_every_s=10), 0)
    link[0].become(Weather(cut_every_s=10), 11)
    with pytest.raises((asyncio.IncompleteReadError, OSError)):
        await _hear(reader, 1)
    again, writer = await asyncio.open_connection(HOST, link[1])
    writer.write(b"hello")
    assert await _hear(again, 5) == b"hello"
    writer.close()


async def test_a_shut_link_takes_no_connection(link: tuple[Link, int]) -> None:
    link[0].become(Weather(shut=True), 0)

    async def ask() -> bytes:
        reader, _ = await asyncio.open_connection(HOST, link[1])
        return await _hear(reader, 1)

    with pytest.raises((asyncio.IncompleteReadError, OSError)):
        await ask()
