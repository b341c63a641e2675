"""The WorkloadAutoRegistrations of a cluster, read and never written: one list, as ``kubectl get war`` makes it."""

from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio import client

from schemas import resource
from services.cli.kubectl import NoKubernetesError
from services.runtime.config import ConfigError
from services.sink.kube import CALL_S, PAGE, connect


async def listed(kubeconfig: Path | None, context: str | None, namespace: str | None) -> list[dict[str, Any]]:
    """Return the WARs of a namespace, or of all. Raises ``NoKubernetesError``."""
    try:
        api = await connect(kubeconfig, context)
    except ConfigError as error:
        raise NoKubernetesError(f"no Kubernetes to ask ({error}): give --kubeconfig or --context") from None
    try:
        return await _pages(client.CustomObjectsApi(api), namespace)
    except client.ApiException as error:
        where = f"in namespace {namespace}" if namespace else "in all namespaces (-n NAMESPACE asks for one)"
        raise NoKubernetesError(f"Kubernetes does not list {resource.PLURAL} {where}: {_words(error)}") from None
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise NoKubernetesError(f"Kubernetes cannot be reached ({error or type(error).__name__})") from None
    finally:
        await api.close()


async def _pages(objects: client.CustomObjectsApi, namespace: str | None) -> list[dict[str, Any]]:
    kind = (resource.GROUP, resource.API_VERSION)
    items: list[dict[str, Any]] = []
    more: str | None = None
    while True:
        asked: dict[str, Any] = {"limit": PAGE, "_request_timeout": CALL_S}
        if more:
            asked["_continue"] = more
        if namespace is None:
            page = await objects.list_custom_object_for_all_namespaces(*kind, resource.PLURAL, **asked)
        else:
            page = await objects.list_namespaced_custom_object(*kind, namespace, resource.PLURAL, **asked)
        items += page["items"]
        more = page["metadata"].get("continue")
        if not more:
            return items


def _words(error: client.ApiException) -> str:
    return f"{error.status} {error.reason}"
