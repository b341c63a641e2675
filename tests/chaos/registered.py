"""What Kubernetes says of every workload at one moment, registration and endpoint."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import aiohttp
from kubernetes.aio import client

from schemas import resource
from services.sink.core.health import gets_traffic

WARS = (resource.GROUP, resource.API_VERSION, resource.PLURAL)
ENTRIES = ("networking.istio.io", "v1", "workloadentries")
ASK_S = 3.0


class Registered(NamedTuple):
    """What Kubernetes says of a workload."""

    uid: str
    connected: str
    """Status of the registration's condition AgentConnected."""
    healthy: str
    """Whether istiod takes the WorkloadEntry for healthy; ``gone`` where there is none."""


async def read(api: client.ApiClient, namespaces: Iterable[str]) -> dict[bytes, Registered] | None:
    """Return what Kubernetes says of each registration; None where it does not say."""
    listing = client.CustomObjectsApi(api).list_namespaced_custom_object

    async def items(group: str, version: str, plural: str) -> list[dict[str, Any]]:
        places = ((group, version, namespace, plural) for namespace in namespaces)
        lists = await asyncio.gather(*(listing(*place, _request_timeout=ASK_S) for place in places))
        return [item for one in lists for item in one["items"]]

    try:
        wars, entries = await asyncio.gather(items(*WARS), items(*ENTRIES))
    except (client.ApiException, aiohttp.ClientError, TimeoutError, OSError):
        return None
    healthy = {_place(item): str(gets_traffic(item)) for item in entries}
    found: dict[bytes, Registered] = {}
    for item in wars:
        (namespace, name), group = _place(item), item["spec"]["workloadGroup"]["name"]
        key = f"{namespace}/{group}/{name.removeprefix(group + '-')}".encode()
        connected, health = _condition(item, "AgentConnected"), healthy.get((namespace, name), "gone")
        found[key] = Registered(item["metadata"]["uid"], connected, health)
    return found


def unlike(seen: Mapping[bytes, Registered]) -> list[str]:
    """Return whose endpoint istiod reads as other than its agent is; where nobody can tell, it stays what it is."""
    return [
        f"{key.decode()}: AgentConnected={one.connected}, its endpoint healthy={one.healthy}"
        for key, one in seen.items()
        if one.connected not in {"Unknown", one.healthy}
    ]


def _place(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _condition(item: Mapping[str, Any], kind: str) -> str:
    conditions = item.get("status", {}).get("conditions", ())
    return next((one["status"] for one in conditions if one["type"] == kind), "missing")
