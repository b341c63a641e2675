"""EC2's instance metadata service, version 2, as AWS documents it: for the parts an agent meets.

PUT /latest/api/token with a ttl of 1 to 21600 seconds gives a token; every other request needs one (401 without, or
when it is over); unknown paths are 404; a PUT with X-Forwarded-For is 403; HttpEndpoint=disabled is 403 for all.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

import json
import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"  # noqa: S105 - the name of a header
DOCUMENT = {
    "accountId": "123456789012",
    "architecture": "x86_64",
    "availabilityZone": "us-east-2b",
    "billingProducts": None,
    "imageId": "ami-0abcdef1234567890",
    "instanceId": "i-1234567890abcdef0",
    "instanceType": "t3.small",
    "pendingTime": "2026-10-09T10:50:00Z",
    "privateIp": "172.31.5.254",
    "region": "us-east-2",
    "version": "2017-09-30",
}


class ImdsServer:
    """The service on a free port of the loopback; ``clock`` gives seconds and is the tests' to turn."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.content: dict[str, bytes] = {
            "/latest/dynamic/instance-identity/document": json.dumps(DOCUMENT, indent=2).encode(),
            "/latest/dynamic/instance-identity/rsa2048": b"MIAGCSqGSIb3DQEHAqCA",
            "/latest/dynamic/instance-identity/signature": b"c2lnbmF0dXJl",
            "/latest/dynamic/instance-identity/pkcs7": b"MIAGCSqGSIb3DQEHAqCAMIACAQ",
            "/latest/meta-data/local-ipv4": b"172.31.5.254",
            "/latest/meta-data/public-ipv4": b"3.15.20.7",
            "/latest/meta-data/services/partition": b"aws",
        }
        self.enabled = True
        self.tokens_given = 0
        self.failures: list[int] = []
        """Statuses that the next requests get instead of an answer."""
        self._clock = clock
        self._tokens: dict[str, float] = {}
        self._runner: web.AppRunner | None = None
        self.endpoint = ""

    def forget_tokens(self) -> None:
        """End every token before its time."""
        self._tokens.clear()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
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

    async def _answer(self, request: web.Request) -> web.Response:
        if self.failures:
            return web.Response(status=self.failures.pop(0))
        if not self.enabled:
            return web.Response(status=403)
        if request.path == "/latest/api/token":
            return self._token(request)
        if request.method != "GET":
            return web.Response(status=405)
        if self._tokens.get(request.headers.get(TOKEN, ""), 0.0) <= self._clock():
            return web.Response(status=401)
        content = self.content.get(request.path)
        return web.Response(status=404) if content is None else web.Response(body=content, content_type="text/plain")

    def _token(self, request: web.Request) -> web.Response:
        if request.method != "PUT":
            return web.Response(status=405)
        if "X-Forwarded-For" in request.headers:
            return web.Response(status=403)
        ttl = request.headers.get(TTL, "")
        if not ttl.isdecimal() or not 1 <= int(ttl) <= 21_600:
            return web.Response(status=400)
        token = secrets.token_urlsafe(40) + "=="
        self._tokens[token] = self._clock() + int(ttl)
        self.tokens_given += 1
        return web.Response(text=token, headers={TTL: ttl})
