"""Faults of Kubernetes that is there, and has no time: priority and fairness, writers against us, lost watches."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import aiohttp
from kubernetes.aio import client

from schemas import resource
from tests.chaos.arena import ACCOUNT, NAMESPACE, Arena
from tests.chaos.links import Weather
from tests.chaos.parts import RESTART_S, frozen, witnessed
from tests.chaos.trial import Stage

THROTTLE_S = 10.0
STORM_S = 15.0
WRITERS = 8
OTHERS, CLERKS = 1_600, 8
"""Registrations of somebody else's, four pages of them, and how many write them at a time."""
CROWD = "crowd"
COMPACTED_S = 25.0
"""Longer than the sink's watch (15 s) and than a version of a registration lives (up to 10 s)."""
SETTLED_S = 3.0
DELETED = 5
LEVEL = "muster-chaos"


async def api_throttled(arena: Arena, stage: Stage) -> None:
    """Priority and fairness has no seat for the sink's writes: each is answered 429 with Retry-After."""
    flow = client.FlowcontrolApiserverV1Api(arena.api)
    async with witnessed(arena, stage):
        level, schema = _no_seats()
        await flow.create_priority_level_configuration(level)
        await flow.create_flow_schema(schema)
        await asyncio.sleep(THROTTLE_S)
        await flow.delete_flow_schema(LEVEL)
        await flow.delete_priority_level_configuration(LEVEL)
    if not await arena.counted("muster_sink_throttled_total"):
        raise AssertionError("Kubernetes never answered 429: the fault did not happen")


def _no_seats() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a priority level without a seat, and the schema that sends the sink's writes there."""
    limited = {
        "nominalConcurrencyShares": 0,
        "lendablePercent": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"},
    }
    rule = {"verbs": ["create", "update", "delete"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}
    account = {"kind": "ServiceAccount", "serviceAccount": {"name": ACCOUNT, "namespace": NAMESPACE}}
    schema = {
        "priorityLevelConfiguration": {"name": LEVEL},
        "matchingPrecedence": 50,
        "rules": [{"subjects": [account], "resourceRules": [rule]}],
    }
    about = {"metadata": {"name": LEVEL}}
    return {**about, "spec": {"type": "Limited", "limited": limited}}, {**about, "spec": schema}


async def conflict_storm(arena: Arena, stage: Stage) -> None:
    """Others write some registrations all the time, those of the dead among them; the sink's own writes conflict."""
    before = await arena.counted("muster_sink_retries_total")
    async with witnessed(arena, stage):
        victims = [*stage.hit, *sorted(arena.keys(arena.some))[:WRITERS]]
        writers = [asyncio.ensure_future(_meddle(arena, victims[number::WRITERS])) for number in range(WRITERS)]
        await asyncio.wait(writers, timeout=STORM_S)
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
    if await arena.counted("muster_sink_retries_total") == before:
        raise AssertionError("no write of the sink conflicted: the fault did not happen")


async def _meddle(arena: Arena, keys: Sequence[bytes]) -> None:
    """Write registrations again and again: an annotation blindly, and a condition as a well-behaved writer does."""
    objects = client.CustomObjectsApi(arena.api)
    for number in count():
        for key in keys:
            where = _place(key)
            note = {"metadata": {"annotations": {"meddled": str(number)}}}
            with suppress(client.ApiException, aiohttp.ClientError):
                item: dict[str, Any] = await objects.patch_namespaced_custom_object(
                    *where, note, _content_type="application/merge-patch+json"
                )
                for condition in item.get("status", {}).get("conditions", ()):
                    if condition["type"] == "IdentityVerified":
                        condition["message"] = f"meddled with for the {number}. time"
                await objects.replace_namespaced_custom_object_status(*where, item)


def _place(key: bytes) -> tuple[str, str, str, str, str]:
    namespace, group, identity = key.decode().split("/")
    return resource.GROUP, resource.API_VERSION, namespace, resource.PLURAL, f"{group}-{identity}"


async def sink_out_of_date(arena: Arena, stage: Stage) -> None:
    """SIGSTOP the sink until its watches' versions are compacted away; people delete registrations meanwhile."""
    sink = arena.child("sink")
    before = await arena.counted("muster_sink_relists_total")
    async with witnessed(arena, stage), frozen(sink):
        keys = sorted(arena.keys(arena.some))[:DELETED]
        stage.excused |= set(keys)
        for key in keys:
            await client.CustomObjectsApi(arena.api).delete_namespaced_custom_object(*_place(key))
        meddling = asyncio.ensure_future(_meddle(arena, sorted(arena.keys(arena.most))))
        await asyncio.wait({meddling}, timeout=COMPACTED_S)
        meddling.cancel()
    await asyncio.sleep(SETTLED_S)
    if await arena.counted("muster_sink_relists_total") == before:
        raise AssertionError("no watch was answered 410 Gone: the fault did not happen")


async def large_lists(arena: Arena, stage: Stage) -> None:
    """kill -9 the sink; it lists 1,600 more registrations, page by page over a slow link, before it writes."""
    try:
        await _crowd(arena, min(arena.keys(arena.most)))
        async with witnessed(arena, stage):
            arena.network(kube=Weather(delay_ms=150))
            await arena.kill(arena.child("sink"))
            await asyncio.sleep(RESTART_S)
            await arena.ready(arena.sink())
            arena.network()
        await asyncio.sleep(SETTLED_S)
        known = await arena.counted("muster_sink_orphans")
        if known < OTHERS:
            raise AssertionError(f"the sink read {known:.0f} of {OTHERS} registrations of others: a list was cut short")
    finally:
        await client.CustomObjectsApi(arena.api).delete_collection_namespaced_custom_object(
            resource.GROUP, resource.API_VERSION, CROWD, resource.PLURAL
        )
        await client.CoreV1Api(arena.api).delete_namespace(CROWD)


async def _crowd(arena: Arena, like: bytes) -> None:
    """Write registrations like this one into a namespace that no agent is of: the sink leaves them alone."""
    await client.CoreV1Api(arena.api).create_namespace({"metadata": {"name": CROWD}})
    objects, numbers = client.CustomObjectsApi(arena.api), count()
    model: dict[str, Any] = await objects.get_namespaced_custom_object(*_place(like))
    what = {name: model[name] for name in ("apiVersion", "kind", "spec")}

    async def write() -> None:
        while (number := next(numbers)) < OTHERS:
            await objects.create_namespaced_custom_object(
                resource.GROUP,
                resource.API_VERSION,
                CROWD,
                resource.PLURAL,
                {**what, "metadata": {"name": f"other-{number}"}},
            )

    await asyncio.gather(*(write() for _ in range(CLERKS)))
