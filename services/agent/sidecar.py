"""Istio's sidecar on this machine: its bootstrap, and where so configured the process itself.

The latest wish counts: registered with something, or not registered. Off unless a directory is configured.
"""

import asyncio
import os
from typing import Any

import structlog

from schemas.events import Registration
from schemas.registrations import Registered
from services.agent.bootstrap import cluster_env, node_id, write
from services.agent.settings import SidecarSettings
from services.runtime.health import Health

_AGAIN_S = 5.0
"""A sidecar that ended, or a bootstrap that could not be written, is tried again after this."""


class Sidecar:
    """The keeper of the sidecar; ``run`` is its only task, ``close`` ends the sidecar after it."""

    def __init__(self, settings: SidecarSettings, registration: Registration, health: Health) -> None:
        self._settings = settings
        self._registration = registration
        self._health = health
        self._wanted: Registered | None = None
        self._changed = asyncio.Event()
        self._child: asyncio.subprocess.Process | None = None

    def want(self, registered: Registered | None) -> None:
        """Wish for a sidecar with this registration's bootstrap, or for none."""
        self._wanted = registered
        self._changed.set()

    async def run(self) -> None:
        """Make the latest wish true, until cancelled."""
        if self._settings.directory is None:
            return
        while True:
            self._changed.clear()
            pause_s: float | None = None
            try:
                await self._fulfil(self._wanted)
            except OSError as cause:
                self._health.set("sidecar", ok=False, why=str(cause))
                structlog.get_logger().error("the sidecar cannot be started; trying again", reason=str(cause))
                pause_s = _AGAIN_S
            await self._news(pause_s)

    async def close(self) -> None:
        """Drain the child: SIGTERM, a bounded wait, SIGKILL."""
        child = self._child
        if child is not None and child.returncode is None:
            child.terminate()
            try:
                async with asyncio.timeout(self._settings.drain_seconds):
                    await child.wait()
            except TimeoutError:
                structlog.get_logger().warning("the sidecar did not drain in time and is killed", pid=child.pid)
                child.kill()
                await child.wait()
        self._child = None

    async def _fulfil(self, wanted: Registered | None) -> None:
        if wanted is None or self._settings.directory is None:
            await self.close()
            return
        variables = cluster_env(wanted, self._registration, self._settings.environment)
        if write(self._settings.directory, variables):
            structlog.get_logger().info("wrote the sidecar's bootstrap", node_id=node_id(variables))
            await self.close()
        if self._settings.command and self._child is None:
            self._child = await asyncio.create_subprocess_exec(
                *self._settings.command, cwd=self._settings.directory, env={**os.environ, **variables}
            )
            structlog.get_logger().info("started the sidecar", pid=self._child.pid)
        self._health.set("sidecar", ok=True)

    async def _news(self, pause_s: float | None) -> None:
        """Wait for another wish, for the end of the child, or for the pause to pass."""
        events: set[asyncio.Task[Any]] = {asyncio.create_task(self._changed.wait())}
        if self._child is not None:
            events.add(asyncio.create_task(self._child.wait()))
        try:
            await asyncio.wait(events, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for event in events:
                event.cancel()
        if self._child is not None and self._child.returncode is not None:
            why = f"the sidecar ended with {self._child.returncode}"
            structlog.get_logger().warning(f"{why}; it is started again", in_s=_AGAIN_S)
            self._health.set("sidecar", ok=False, why=why)
            self._child = None
            await asyncio.wait({asyncio.create_task(self._changed.wait())}, timeout=_AGAIN_S)
