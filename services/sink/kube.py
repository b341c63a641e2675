"""The port to a real Kubernetes API, over the asyncio client of the ``kubernetes`` package."""

import functools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from pydantic_core import from_json

from services.runtime.config import ConfigError
from services.sink.core.objects import Manifest
from services.sink.ports import (
    AlreadyExistsError,
    ConflictError,
    Exactly,
    GoneError,
    InvalidError,
    Kind,
    Listed,
    NotFoundError,
    Seen,
    UnavailableError,
)

PAGE = 500
"""Objects per page of a list: what kubectl asks for."""
WATCH_S = 290
"""The server ends a watch after this; the next one goes on from the last bookmark."""
CALL_S = 30.0
LONGEST_ASKED_S = 60.0
"""Whoever asks us to wait for longer is asked again after this: a proxy's slip must not stop the sink for a day."""
_TRANSPORT = (aiohttp.ClientError, TimeoutError, OSError)
_CONFLICT, _GONE = 409, 410
_REFUSED = {400: InvalidError, 404: NotFoundError, 409: ConflictError, 410: GoneError, 422: InvalidError}


async def connect(kubeconfig: Path | None, context: str | None) -> client.ApiClient:
    """Return a client as the kubeconfig says, or as a pod's service account; ConfigError where there is neither."""
    settings = client.Configuration()
    try:
        if kubeconfig is None and context is None and _in_cluster():
            config.load_incluster_config(client_configuration=settings)
        else:
            where = str(kubeconfig) if kubeconfig else None
            await config.load_kube_config(where, context, client_configuration=settings, persist_config=False)
    except (config.ConfigException, OSError) as error:
        words = f"no Kubernetes to write to ({error}): set KUBECONFIG or kubeconfig, or run in a pod"
        raise ConfigError(words) from error
    # Else aiohttp has threads read ~/.netrc and the environment before each request: half of the CPU of a write.
    settings.client_session_kwargs = {"trust_env": _proxied(settings.host)}
    return client.ApiClient(configuration=settings)


def _proxied(host: str) -> bool:
    """Whether the environment names a proxy for a URL; ~/.netrc has nothing that an API server would take."""
    url = urlsplit(host)
    return url.scheme in getproxies() and not proxy_bypass(url.hostname or "")


def _in_cluster() -> bool:
    return Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists()


class Kubernetes:
    """The port's adapter: each method is one call, its error one of the port's."""

    def __init__(self, api: client.ApiClient, watch_s: int = WATCH_S) -> None:
        self._watch_s = watch_s
        self._objects = client.CustomObjectsApi(api)
        self._core = client.CoreV1Api(api)

    async def list(self, kind: Kind) -> Listed:
        """Return all objects, page by page of one consistent view."""
        items: list[Manifest] = []
        more = None
        while True:
            answer = await self._call(self._listing(kind)(limit=PAGE, _continue=more, _request_timeout=CALL_S))
            with _unbroken():
                page = _parsed(await answer.read())
            # Items of a list do not say what they are; owners and entries are named after it.
            about = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}
            items.extend({**about, **_kept(item)} for item in page["items"])
            more = page["metadata"].get("continue")
            if not more:
                return Listed(items, page["metadata"]["resourceVersion"])

    async def watch(self, kind: Kind, resource_version: str) -> AsyncIterator[Seen]:
        """Yield events line by line until the server ends the watch."""
        answer = await self._call(
            self._listing(kind)(
                watch=True,
                resource_version=resource_version,
                allow_watch_bookmarks=True,
                timeout_seconds=self._watch_s,
                _request_timeout=self._watch_s + CALL_S,
            )
        )
        try:
            while True:
                with _unbroken():
                    line = await answer.content.readline()
                    if not line:
                        return
                    told = _parsed(line)
                if told["type"] == "ERROR":
                    _refuse(told["object"].get("code", 0), json.dumps(told["object"]), {})
                yield Seen(told["type"], _kept(told["object"]))
        finally:
            answer.close()

    def _listing(self, kind: Kind) -> Any:  # noqa: ANN401 - the client's call
        if kind is Kind.NAMESPACE:
            return self._core.list_namespace_without_preload_content
        return functools.partial(
            self._objects.list_custom_object_for_all_namespaces_without_preload_content, *kind.value
        )

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create an object."""
        group, version, plural = kind.value
        namespace = manifest["metadata"]["namespace"]
        call = self._objects.create_namespaced_custom_object(
            group, version, namespace, plural, manifest, field_validation="Strict", _request_timeout=CALL_S
        )
        return _kept(await self._call(call))

    async def update(self, kind: Kind, manifest: Manifest, *, status: bool = False) -> Manifest:
        """Replace an object, or only its status, if uid and resourceVersion are still these."""
        objects = self._objects
        replace = (
            objects.replace_namespaced_custom_object_status if status else objects.replace_namespaced_custom_object
        )
        group, version, plural = kind.value
        metadata = manifest["metadata"]
        call = replace(
            group,
            version,
            metadata["namespace"],
            plural,
            metadata["name"],
            manifest,
            _request_timeout=CALL_S,
        )
        return _kept(await self._call(call))

    async def delete(self, kind: Kind, which: Exactly) -> None:
        """Delete an object, if uid and resourceVersion are still these."""
        group, version, plural = kind.value
        only = client.V1Preconditions(uid=which.uid, resource_version=which.resource_version)
        options = client.V1DeleteOptions(preconditions=only)
        call = self._objects.delete_namespaced_custom_object(
            group, version, which.namespace, plural, which.name, body=options, _request_timeout=CALL_S
        )
        await self._call(call)

    async def _call(self, call: Any) -> Any:  # noqa: ANN401 - the client's answers are JSON
        try:
            with _unbroken():
                answer = await call
        except ApiException as error:
            _refuse(error.status or 0, str(error.body or error.reason), dict(error.headers or {}))
        if isinstance(answer, aiohttp.ClientResponse) and not answer.ok:
            _refuse(answer.status, await answer.text(), dict(answer.headers))
        return answer


def _kept(item: dict[str, Any]) -> Manifest:
    """Return an object without who manages which field: half of its size; Kubernetes keeps it where none is sent."""
    item["metadata"].pop("managedFields", None)
    return item


def _parsed(text: bytes) -> Any:  # noqa: ANN401 - JSON's values
    """Return JSON's value, keys and short strings shared with all others: of ten thousand alike, half the memory."""
    try:
        return from_json(text)
    except ValueError as error:
        raise UnavailableError(f"an answer that ends in the middle: {error}") from error


@contextmanager
def _unbroken() -> Iterator[None]:
    """Say of a connection that breaks that Kubernetes is not to be had."""
    try:
        yield
    except _TRANSPORT as error:
        raise UnavailableError(repr(error)) from error


def _refuse(status: int, body: str, headers: dict[str, str]) -> NoReturn:
    """Raise the port's error for an answer of Kubernetes that is none of success."""
    try:
        told = json.loads(body)
        words, reason = told.get("message", body), told.get("reason", "")
    except ValueError:
        words, reason = body, ""
    if status == _CONFLICT and reason == "AlreadyExists":
        raise AlreadyExistsError(words)
    if status in _REFUSED:
        raise _REFUSED[status](words)
    # 401, 403, 429, 5xx: not ours to mend, and it may pass; Retry-After says when to ask again.
    after = headers.get("Retry-After", "")
    raise UnavailableError(f"{status}: {words}", min(float(after), LONGEST_ASKED_S) if after.isdigit() else None)
