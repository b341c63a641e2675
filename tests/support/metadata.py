"""The metadata services of Google Compute Engine and Azure, as they document themselves: for the parts an agent meets.

Both refuse requests without their header and give a token for the audience that is asked for.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

GCP_HEADER, AZURE_HEADER = ("Metadata-Flavor", "Google"), ("Metadata", "true")


class MetadataServer:
    """One of them, on a free port of the loopback; ``token`` makes the token for an audience."""

    def __init__(self, token: Callable[[str], str], address: dict[str, str] | None = None) -> None:
        self.token = token
        self.address = address or {"privateIpAddress": "10.0.0.4", "publicIpAddress": ""}
        self.failures: list[int] = []
        """Statuses that the next requests get instead of an answer."""
        self.endpoint = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        gcp = "/computeMetadata/v1/instance"
        app.router.add_get(f"{gcp}/service-accounts/default/identity", self._gcp)
        app.router.add_get(f"{gcp}/network-interfaces/0/ip", self._gcp)
        app.router.add_get("/metadata/identity/oauth2/token", self._azure)
        app.router.add_get("/metadata/instance/network/interface/0/ipv4/ipAddress/0", self._azure)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.endpoint = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _gcp(self, request: web.Request) -> web.Response:
        if (status := self._refused(request, *GCP_HEADER)) is not None:
            return web.Response(status=status)
        if request.path.endswith("/ip"):
            return web.Response(text="10.128.0.2")
        if request.query.get("format") != "full":
            return web.Response(status=400)
        return web.Response(text=self.token(request.query["audience"]))

    async def _azure(self, request: web.Request) -> web.Response:
        if (status := self._refused(request, *AZURE_HEADER)) is not None or "api-version" not in request.query:
            return web.Response(status=status or 400)
        if request.path.endswith("/0"):
            return web.json_response(self.address)
        answer: dict[str, Any] = {"access_token": self.token(request.query["resource"]), "token_type": "Bearer"}
        return web.json_response(answer)

    def _refused(self, request: web.Request, header: str, value: str) -> int | None:
        if self.failures:
            return self.failures.pop(0)
        return None if request.headers.get(header) == value else 403
