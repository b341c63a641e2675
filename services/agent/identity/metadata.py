"""HTTP to a cloud's instance metadata service: only ever this machine's own, never through a proxy.

Such a service may come late at boot: everything but nonsense is waited for.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

import aiohttp
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential
from tenacity.wait import wait_base

from services.agent.identity.source import Machine, NotYet

BACKOFF = wait_random_exponential(0.2, 10)
"""Seconds between attempts while the service does not answer."""


class Metadata:
    """A client of the service at ``endpoint``; an async context manager that holds its connection."""

    def __init__(self, endpoint: str, timeout_s: float) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # No proxies from the environment: the address is the machine's own.
        self._http = aiohttp.ClientSession(timeout=self._timeout, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def ask(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body; raise ``NotYet`` where nobody answers."""
        if self._http is None:
            raise RuntimeError("use a metadata client as a context manager")
        url = self._endpoint + path
        try:
            async with self._http.request(method, url, headers=headers, allow_redirects=False) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as cause:
            raise NotYet(f"{method} {path}: {cause or type(cause).__name__}") from cause


async def awaited(read: Callable[[], Awaitable[Machine]], endpoint: str, wait: wait_base) -> Machine:
    """Return what ``read`` does; waits with backoff, saying so, as long as the service does not answer."""

    def say(state: RetryCallState) -> None:
        why = str(state.outcome.exception()) if state.outcome else ""
        structlog.get_logger().warning("waiting for the instance metadata service", endpoint=endpoint, reason=why)

    waiting = AsyncRetrying(retry=retry_if_exception_type(NotYet), wait=wait, before_sleep=say)
    machine: Machine = await waiting(read)
    return machine
