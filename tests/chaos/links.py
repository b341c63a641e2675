"""The network between the parts: TCP links that delay, fall silent, or are cut, each as a file says at the moment.

A process of its own (``python -m tests.chaos.links FILE``), so that nothing else's work delays what goes over it. FILE
holds ``{"links": {name: [listening port, port behind]}, "state": {name: {...}}}``, and is read again and again.
"""

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
LOOK_S = 0.05
CHUNK = 64 * 1024


class Weather(NamedTuple):
    """How a link is."""

    delay_ms: float = 0.0
    """How much later everything arrives, in each direction."""
    silent: bool = False
    """Nothing arrives; connections stay open, and what was sent arrives when the silence ends, as TCP has it."""
    shut: bool = False
    """Connections are reset, and none can be made."""
    cut_every_s: float = 0.0
    """So often all connections are reset; 0 is never."""


class Link:
    """One listening port, and the one behind it."""

    def __init__(self, behind: int) -> None:
        self.behind = behind
        self.weather = Weather()
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._cut_at = 0.0

    def become(self, weather: Weather, now: float) -> None:
        """Change the weather; called often."""
        if weather.silent:
            self._speaks.clear()
        else:
            self._speaks.set()
        if weather.cut_every_s and not self.weather.cut_every_s:
            self._cut_at = now + weather.cut_every_s
        self.weather = weather
        if weather.shut or (weather.cut_every_s and now >= self._cut_at):
            self._cut_at = now + weather.cut_every_s
            for writer in self._open:
                writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a connection to one behind."""
        if self.weather.shut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(HOST, self.behind)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._open |= ends
        ways = [asyncio.ensure_future(self._carry(reader, back)), asyncio.ensure_future(self._carry(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= ends
            for way in ways:
                way.cancel()
            for end in ends:
                end.close()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Carry bytes one way until either end is gone: they are read at once, and delivered when due."""
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivering = asyncio.ensure_future(self._deliver(due, target))
        loop = asyncio.get_running_loop()
        try:
            with suppress(OSError):
                while (data := await source.read(CHUNK)) and not delivering.done():
                    due.put_nowait((loop.time() + self.weather.delay_ms / 1000, data))
            due.put_nowait((loop.time() + self.weather.delay_ms / 1000, b""))
            await delivering
        finally:
            delivering.cancel()

    async def _deliver(self, due: "asyncio.Queue[tuple[float, bytes]]", target: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while True:
                at, data = await due.get()
                await asyncio.sleep(max(at - loop.time(), 0))
                await self._speaks.wait()
                if not data:
                    return
                target.write(data)
                await target.drain()


async def main(file: Path) -> None:
    """Serve the links of a file until ended."""
    loop = asyncio.get_running_loop()
    links: dict[str, Link] = {}
    servers = []
    for name, (port, behind) in json.loads(file.read_text())["links"].items():
        links[name] = Link(behind)
        servers.append(await asyncio.start_server(links[name].accept, HOST, port))
    while True:
        state = json.loads(file.read_text())["state"]
        for name, link in links.items():
            link.become(Weather(**state.get(name, {})), loop.time())
        await asyncio.sleep(LOOK_S)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
