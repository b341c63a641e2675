"""The stack as a process of its own, so that it can stay up when the command that began it ends.

It listens on loopback for the few things that are asked of it; ``daemon.json`` in its folder says where, with a
token. Run as ``python -m services.local.daemon FOLDER``; SIGTERM ends it and everything it started.
"""

import asyncio
import json
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
from aiohttp import web

from services.local.cache import Progress
from services.local.child import Child, StartError
from services.local.stack import LocalStack

FILE = "daemon.json"


class Daemon:
    """The stack, what is known of its progress, and the HTTP handlers."""

    def __init__(self, folder: Path) -> None:
        self.stack = LocalStack(folder)
        self.file = self.stack.folder / FILE
        self.token = secrets.token_urlsafe()
        self.kafka: dict[str, Any] = {"state": "starting", "what": "", "done": 0, "total": 0}
        self.kube: dict[str, Any] = {"state": "building", "what": "", "done": 0, "total": 0}

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then end everything."""
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        runner = web.AppRunner(self._application())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._publish(f"http://127.0.0.1:{runner.addresses[0][1]}")
        try:
            # What a part may fail with it reports itself; anything else is a bug, and ends the daemon with a traceback.
            async with asyncio.TaskGroup() as tasks:
                starting = [
                    tasks.create_task(self._part(self.kafka, self._kafka)),
                    tasks.create_task(self._part(self.kube, self._kube)),
                ]
                await stopping.wait()
                for task in starting:
                    task.cancel()
        finally:
            await self.stack.stop()
            await runner.cleanup()
            self.file.unlink(missing_ok=True)

    def _publish(self, url: str) -> None:
        me = psutil.Process()
        fresh = self.file.with_suffix(".new")
        fresh.touch(mode=0o600)
        known = {"pid": me.pid, "started": me.create_time(), "url": url, "token": self.token}
        fresh.write_text(json.dumps(known))
        fresh.rename(self.file)

    async def _part(self, told: dict[str, Any], start: Callable[[], Awaitable[dict[str, str]]]) -> None:
        try:
            told.update(await start(), state="ready")
        except (StartError, OSError) as error:
            told.update(state="failed", why=str(error))

    async def _kafka(self) -> dict[str, str]:
        return {"bootstrap_servers": await self.stack.start_kafka(_teller(self.kafka)), "what": ""}

    async def _kube(self) -> dict[str, str]:
        await self.stack.build_kube(_teller(self.kube))
        self.kube.update(state="starting", what="")
        return {"kubeconfig": str(await self.stack.start_kube())}

    def _application(self) -> web.Application:
        @web.middleware
        async def guarded(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                raise web.HTTPUnauthorized
            return await handler(request)

        application = web.Application(middlewares=[guarded])
        application.add_routes(
            [
                web.get("/", self._state),
                web.put("/children/{name}", self._spawn),
                web.delete("/children/{name}", self._stop),
                web.post("/children/{name}/kill", self._kill),
            ]
        )
        return application

    async def _state(self, _request: web.Request) -> web.Response:
        children = {
            name: {"pid": child.pid, "running": child.running, "status": child.status, "log": str(child.log)}
            for name, child in self.stack.children.items()
        }
        return web.json_response({"kafka": self.kafka, "kube": self.kube, "children": children})

    async def _spawn(self, request: web.Request) -> web.Response:
        asked = await request.json()
        name = request.match_info["name"]
        before = self.stack.children.get(name)
        if before is not None and before.running:
            await before.stop()
        try:
            child = await asyncio.to_thread(self.stack.spawn, name, asked["argv"], asked.get("env"))
        except StartError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from error
        return web.json_response({"pid": child.pid})

    def _child(self, request: web.Request) -> Child:
        child = self.stack.children.get(request.match_info["name"])
        if child is None:
            raise web.HTTPNotFound(text=f"nothing was started under the name {request.match_info['name']}")
        return child

    async def _stop(self, request: web.Request) -> web.Response:
        return web.json_response({"status": await self._child(request).stop()})

    async def _kill(self, request: web.Request) -> web.Response:
        child = self._child(request)
        await child.kill()
        return web.json_response({"status": child.status})


def _teller(told: dict[str, Any]) -> Progress:
    return lambda what, done, total: told.update(what=what, done=done, total=total)


if __name__ == "__main__":
    asyncio.run(Daemon(Path(sys.argv[1])).run())
