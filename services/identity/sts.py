"""STS: who the sender of a pre-signed request is, asked for outside the fold (ADR 0010)."""

import json
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from yarl import URL

from schemas.credentials import StsRequest
from services.identity.core.caller import Caller, NoRoleError, Question, answer, question

TIMEOUT = aiohttp.ClientTimeout(total=5)
ATTEMPTS = 3
LARGEST = 16 * 1024
_OK, _SERVER_FAULTS = 200, 500


class UnreachableError(Exception):
    """STS did not answer, or only that it cannot now; the text says how."""


class StsChecker(Protocol):
    """Who sends a request on to STS."""

    async def check(self, request: StsRequest, session: str) -> Caller:
        """Return whom STS knows the sender as, of a request that this session shows.

        Raises NoRoleError for what proves no role, and UnreachableError where nobody can know now.
        """


class Sts:
    """The real one, over HTTPS."""

    def __init__(
        self, audiences: Callable[[], Sequence[str]], endpoint: str | None = None, longest_wait_s: float = 2.0
    ) -> None:
        """``endpoint`` is where to connect in the place of STS's own host, which is named in any case."""
        self._audiences = audiences
        self._endpoint = endpoint
        self._wait = wait_random_exponential(multiplier=0.2, max=longest_wait_s)

    async def check(self, request: StsRequest, session: str) -> Caller:
        """Return whom STS knows the sender as. Raises NoRoleError and UnreachableError."""
        asked = question(request, self._audiences(), session)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(UnreachableError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            reraise=True,
        )
        return answer(await retrying(self._send, asked))

    async def _send(self, asked: Question) -> bytes:
        base = (self._endpoint or f"https://{asked.host}").rstrip("/")
        url = URL(f"{base}/?{asked.query}", encoded=True)  # as it is signed, not spelled anew
        headers = asked.headers | {"Host": asked.host, "Accept": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT) as http,
                http.get(url, headers=headers, allow_redirects=False) as got,
            ):
                body = await _bounded(got)
        except (aiohttp.ClientError, TimeoutError) as cause:
            raise UnreachableError(f"STS at {base} does not answer: {str(cause) or repr(cause)}") from cause
        if got.status >= _SERVER_FAULTS:
            raise UnreachableError(f"STS at {base} answers {got.status}")
        if got.status != _OK:
            raise NoRoleError(f"STS refuses the request with {got.status}: {_words(body)}")
        return body


async def _bounded(got: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for part in got.content.iter_chunked(LARGEST):
        body += part
        if len(body) > LARGEST:
            raise NoRoleError(f"STS answers with more than {LARGEST} bytes")
    return body


def _words(body: bytes) -> str:
    try:
        error = json.loads(body)["Error"]
        return f"{error['Code']}: {error['Message']}"[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return repr(body[:200])
