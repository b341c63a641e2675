"""What a service says of itself over HTTP: /healthz (alive), /readyz (able to work, and if not why), /metrics."""

from types import TracebackType
from typing import NamedTuple, Self

import structlog
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from services.runtime.config import HttpSettings


class Condition(NamedTuple):
    """One named thing that must hold, and why it does not."""

    ok: bool
    why: str


class Health:
    """The HTTP side of a service, as an async context manager.

    A service is alive until a liveness condition fails. It is ready once it set at least one readiness condition and
    all of them hold: before the first ``set`` it is starting.
    """

    def __init__(self, service: str, settings: HttpSettings) -> None:
        self._service = service
        self._settings = settings
        self._ready: dict[str, Condition] = {}
        self._alive: dict[str, Condition] = {}
        self._runner: web.AppRunner | None = None
        self.port: int | None = None
        """The port served on; None before the start, or where HTTP is off."""

    def set(self, name: str, ok: bool, why: str = "") -> None:  # noqa: FBT001 - the condition's truth is its value
        """Set a readiness condition; ``why`` is for people and says what is waited for."""
        self._ready[name] = Condition(ok, why)

    def alive(self, name: str, ok: bool, why: str = "") -> None:  # noqa: FBT001 - likewise
        """Set a liveness condition: one that only a restart can mend."""
        self._alive[name] = Condition(ok, why)

    @property
    def ready(self) -> bool:
        """Whether the service can do its work."""
        return bool(self._ready) and all(condition.ok for condition in self._ready.values())

    @property
    def healthy(self) -> bool:
        """Whether the service can go on without a restart."""
        return all(condition.ok for condition in self._alive.values())

    async def __aenter__(self) -> Self:
        if self._settings.port is None:
            return self
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._settings.host, self._settings.port).start()
        self.port = int(self._runner.addresses[0][1])
        structlog.get_logger().info("serving health and metrics", address=f"http://{self._settings.host}:{self.port}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return self._answer(self._alive, ok=self.healthy)

    async def _readyz(self, _request: web.Request) -> web.Response:
        return self._answer(self._ready or {"start": Condition(ok=False, why="starting")}, ok=self.ready)

    def _answer(self, conditions: dict[str, Condition], *, ok: bool) -> web.Response:
        lines = [
            f"{'ok    ' if condition.ok else 'not ok'} {name}{': ' + condition.why if condition.why else ''}"
            for name, condition in sorted(conditions.items())
        ]
        lines.append(f"{self._service}: {'ok' if ok else 'not ok'}")
        return web.Response(text="\n".join(lines) + "\n", status=200 if ok else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})
