"""STS on the loopback, as AWS documents GetCallerIdentity: it knows keys, checks signatures, and says whose they are.

https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html; its errors are those of
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html.
"""

import hmac
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from aiohttp import web

from services.identity.core import presigned

KEYS = presigned.Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a/token+of=the session")
REGION = "us-east-2"


def role_arn(instance: str, role: str = "ratings", account: str = "123456789012") -> str:
    """Return what STS calls a machine in its role."""
    return f"arn:aws:sts::{account}:assumed-role/{role}/{instance}"


class StsServer:
    """The service on a free port; ``callers`` are the ARNs of the owners of access keys."""

    def __init__(self, now: datetime | None = None) -> None:
        self.callers: dict[str, tuple[presigned.Keys, str]] = {}
        self.now = now
        """Its clock, where it is not the real one."""
        self.failures: list[int] = []
        """Statuses that the next requests get instead of an answer."""
        self.says: str | None = None
        """What it answers whoever asks."""
        self.asked: list[str] = []
        """Hosts that were asked for."""
        self.endpoint = ""
        self._runner: web.AppRunner | None = None

    def knows(self, keys: presigned.Keys, arn: str) -> None:
        """Let keys be somebody's."""
        self.callers[keys.access_key] = (keys, arn)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/", self._answer)
        app.router.add_get("/elsewhere", self._elsewhere)
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

    async def _elsewhere(self, _request: web.Request) -> web.Response:
        return _result(role_arn("i-00000000", "admin"))

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.host)
        if self.failures:
            status = self.failures.pop(0)
            return web.Response(status=status, headers={"Location": "/elsewhere"})
        if self.says is not None:
            return web.Response(text=self.says)
        if request.headers.get("Accept") != "application/json":
            return web.Response(text="<GetCallerIdentityResponse/>", content_type="text/xml")
        return self._judged(request)

    def _judged(self, request: web.Request) -> web.Response:
        query = request.query
        keys, arn = self.callers.get(query["X-Amz-Credential"].split("/")[0], (None, ""))
        if keys is None:
            return _error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        lasts_s = int(query["X-Amz-Expires"])
        signed = {name: request.headers.get(name, "") for name in query["X-Amz-SignedHeaders"].split(";")}
        told = [(name, value) for name, value in query.items() if not name.startswith("X-Amz-")]
        host = signed.pop("host")
        expected = presigned.url(keys, presigned.Request(host, host.split(".")[1], "sts", told, signed), at, lasts_s)
        if not hmac.compare_digest(expected.rpartition("=")[2], query["X-Amz-Signature"]):
            return _error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        now = self.now or datetime.now(UTC)
        if not at - timedelta(minutes=15) <= now <= at + timedelta(seconds=lasts_s):
            return _error(403, "ExpiredToken", "Signature expired.")
        return _result(arn)


def _result(arn: str) -> web.Response:
    account = arn.split(":")[4]
    result = {"Account": account, "Arn": arn, "UserId": f"AROAEXAMPLE:{arn.rpartition('/')[2]}"}
    return web.json_response(
        {"GetCallerIdentityResponse": {"GetCallerIdentityResult": result, "ResponseMetadata": {"RequestId": "1"}}}
    )


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"Error": {"Code": code, "Message": message, "Type": "Sender"}}, status=status)
