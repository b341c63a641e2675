"""The reference beside the sink: a client of Kubernetes that creates objects and does nothing else."""

import asyncio
import time
from itertools import count

from kubernetes.aio import client

from services.cli.bench.mesh.parts import ISTIO, NAMESPACE

WRITES, AT_ONCE = 400, 8
"""As many writes at a time as the sink does."""


async def writes_per_second(api: client.ApiClient) -> float:
    """Return how many WorkloadEntries it creates each second; it leaves none of them behind."""
    objects, numbers = client.CustomObjectsApi(api), count()
    about = {"apiVersion": "/".join(ISTIO), "kind": "WorkloadEntry", "spec": {"address": "127.0.0.1"}}

    async def write() -> None:
        while (number := next(numbers)) < WRITES:
            entry = {**about, "metadata": {"name": f"bare-{number}", "labels": {"bare": "yes"}}}
            await objects.create_namespaced_custom_object(*ISTIO, NAMESPACE, "workloadentries", entry)

    began = time.monotonic()
    await asyncio.gather(*(write() for _ in range(AT_ONCE)))
    took = time.monotonic() - began
    await objects.delete_collection_namespaced_custom_object(
        *ISTIO, NAMESPACE, "workloadentries", label_selector="bare=yes"
    )
    return WRITES / took
