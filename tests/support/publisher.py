"""An issuer's web server on the loopback: its OpenID configuration and its keys."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from services.identity.core.bundle import Issuer


class Publisher:
    """What it says can be changed; while ``open`` is not set, it says nothing."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.url = ""
        self.keys: Any = {"keys": keys}
        self.says: dict[str, Any] = {}
        self.status = 200
        self.keys_status = 200
        """A status that redirects names a place where all is as it should be."""
        self.open = asyncio.Event()
        self.open.set()
        self._runner: web.AppRunner | None = None

    def issuer(self, name: str = "corp", **changed: object) -> Issuer:
        """Return it as a trust bundle has it."""
        return Issuer.model_validate({"name": name, "issuer": self.url, "discovery": True} | changed)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._configuration)
        app.router.add_get("/keys", self._published)
        app.router.add_get("/moved/.well-known/openid-configuration", self._configuration)
        app.router.add_get("/moved/keys", self._published)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _configuration(self, request: web.Request) -> web.Response:
        await self.open.wait()
        told = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.says
        return _answer(request, json.dumps(told), self.status)

    async def _published(self, request: web.Request) -> web.Response:
        return _answer(request, self.keys if isinstance(self.keys, str) else json.dumps(self.keys), self.keys_status)


def _answer(request: web.Request, text: str, status: int) -> web.Response:
    if request.path.startswith("/moved/"):
        return web.Response(text=text)
    headers = {"Location": f"/moved{request.path}"} if 300 <= status < 400 else {}
    return web.Response(text=text, status=status, headers=headers)
