"""What the adapter makes of the API's answers; the API here says what a real one says only on a bad day."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from services.sink.kube import LONGEST_ASKED_S, Kubernetes, connect
from services.sink.ports import ClusterError, GoneError, InvalidError, Kind, NotFoundError, UnavailableError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadDay:
    """An API whose every answer is set by the test."""

    def __init__(self) -> None:
        self.handler: Handler = self.ok
        self.api: client.ApiClient

    async def ok(self, _request: web.Request) -> web.StreamResponse:
        """Answer an empty list."""
        return web.json_response(
            {"apiVersion": "v1", "kind": "XList", "metadata": {"resourceVersion": "1"}, "items": []}
        )

    def says(self, status: int, reason: str = "", words: str = "words", **headers: str) -> None:
        """Let every answer be this Status."""

        async def answer(_request: web.Request) -> web.StreamResponse:
            body = {"kind": "Status", "code": status, "reason": reason, "message": words}
            return web.json_response(body, status=status, headers=headers)

        self.handler = answer

    def cuts(self, start: bytes) -> None:
        """Let the connection break after so much of the answer."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "100000"})
            await response.prepare(request)
            await response.write(start)
            assert request.transport is not None
            request.transport.close()
            return response

        self.handler = answer

    def ends(self, start: bytes) -> None:
        """Let the answer end, in order, after so much of it."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(start)
            return response

        self.handler = answer


@pytest.fixture
async def api() -> AsyncIterator[BadDay]:
    day = BadDay()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await day.handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server:
        day.api = client.ApiClient(client.Configuration(host=str(server.make_url("")).rstrip("/")))
        yield day
        await day.api.close()


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (401, "Unauthorized", UnavailableError),
        (403, "Forbidden", UnavailableError),
        (404, "NotFound", NotFoundError),
        (410, "Expired", GoneError),
        (422, "Invalid", InvalidError),
        (429, "TooManyRequests", UnavailableError),
        (500, "InternalError", UnavailableError),
        (503, "ServiceUnavailable", UnavailableError),
    ],
)
async def test_each_refusal_says_in_the_apis_words_what_to_do(
    api: BadDay, status: int, reason: str, error: type[ClusterError]
) -> None:
    api.says(status, reason, "the API's own words")
    with pytest.raises(error, match="the API's own words"):
        await Kubernetes(api.api).list(Kind.WAR)


async def test_retry_after_is_how_long_to_wait(api: BadDay) -> None:
    api.says(429, "TooManyRequests", **{"Retry-After": "7"})
    with pytest.raises(UnavailableError) as refused:
        await Kubernetes(api.api).list(Kind.WAR)
    assert refused.value.after_s == 7


async def test_nobody_stops_the_sink_for_a_day(api: BadDay) -> None:
    """A proxy that says Retry-After: 86400 is asked again after a minute."""
    api.says(503, "ServiceUnavailable", **{"Retry-After": "86400"})
    with pytest.raises(UnavailableError) as refused:
        await Kubernetes(api.api).list(Kind.WAR)
    assert refused.value.after_s == LONGEST_ASKED_S


async def test_a_list_cut_off_in_the_middle_is_no_list(api: BadDay) -> None:
    """Half a list must neither look like a whole one nor end the process."""
    api.cuts(b'{"items": [')
    with pytest.raises(UnavailableError):
        await Kubernetes(api.api).list(Kind.WAR)


async def test_a_watch_cut_off_in_the_middle_of_an_event_is_unavailable(api: BadDay) -> None:
    api.cuts(b'{"type": "ADDED", "object": {"meta')
    with pytest.raises(UnavailableError):
        await anext(Kubernetes(api.api).watch(Kind.WAR, "1"))


async def test_half_an_event_at_the_end_of_a_watch_is_no_event(api: BadDay) -> None:
    api.ends(b'{"type": "ADDED", "object": {"meta')
    with pytest.raises((StopAsyncIteration, UnavailableError)):
        await anext(Kubernetes(api.api).watch(Kind.WAR, "1"))


async def test_an_expired_version_inside_a_watch_is_gone(api: BadDay) -> None:
    api.ends(b'{"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}\n')
    with pytest.raises(GoneError):
        await anext(Kubernetes(api.api).watch(Kind.WAR, "1"))


async def test_an_api_that_is_not_there_is_unavailable() -> None:
    api = client.ApiClient(client.Configuration(host="http://127.0.0.1:1"))
    with pytest.raises(UnavailableError):
        await Kubernetes(api).list(Kind.WAR)
    await api.close()


def kubeconfig(folder: Path, server: str) -> Path:
    file = folder / "kubeconfig"
    content = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "clusters": [{"name": "one", "cluster": {"server": server}}],
        "users": [{"name": "one", "user": {"token": "token"}}],
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


async def test_a_proxy_of_the_environment_is_used(api: BadDay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", api.api.configuration.host)
    connected = await connect(kubeconfig(tmp_path, "http://kube.invalid"), None)
    assert (await Kubernetes(connected).list(Kind.WAR)).items == []
    await connected.close()


async def test_where_no_proxy_is_meant_for_it_a_call_needs_no_thread(
    api: BadDay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads that read ~/.netrc and the environment for every request cost as much as the rest of it."""
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    connected = await connect(kubeconfig(tmp_path, api.api.configuration.host), None)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="asked"))
    assert (await Kubernetes(connected).list(Kind.WAR)).items == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("asked")] == []
    await connected.close()
