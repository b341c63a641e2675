"""OnboardingPolicies on the real API: who joins, what becomes of who has, what kubectl refuses (ADR 0011)."""

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schemas.events import Introduction
from schemas.policies import Enforcement
from schemas.registrations import RefusalReason, Refused, Registered
from tests.integration.sink.mesh import Mesh
from tests.support.policies import policy
from tests.support.registry import session

OTHERS = [
    {"workloads": [{"aws": {"accounts": ["999999999999"], "ec2": {}}}], "onboardTo": [{"workloadGroupSelector": {}}]}
]
CLAUSE = "spec.allow[0].workloads[0].aws.accounts: expected 999999999999, received 123456789012"


@pytest_asyncio.fixture(loop_scope="session")
async def mesh(kafka: str, kube: Path, tmp_path: Path) -> AsyncIterator[Mesh]:
    async with Mesh(kafka, kube, tmp_path) as made:
        yield made


async def _refused(mesh: Mesh, who: Introduction) -> Refused:
    found: Refused = await mesh.answered(who, Refused, session(1))
    return found


async def test_a_refused_session_hears_which_clause_failed_and_joins_as_soon_as_a_policy_allows_it(mesh: Mesh) -> None:
    await mesh.allow(allow=OTHERS)
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    refused = await _refused(mesh, who)
    assert (refused.reason, refused.message) == (
        RefusalReason.NOT_ALLOWED,
        f"OnboardingPolicy machines came closest: {CLAUSE}",
    )
    assert await mesh.war(who) is None
    await mesh.allow()
    registered: Registered = await mesh.answered(who, Registered, session(1))
    assert registered.name == who.key.war_name
    assert (await mesh.conditioned(who, "AllowedByPolicy", "True"))["reason"] == "PolicyAllows"


async def test_what_nothing_proved_is_refused_whatever_the_policies(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who, verified=None)
    assert (await _refused(mesh, who)).reason is RefusalReason.NOT_VERIFIED
    assert await mesh.war(who) is None


async def test_who_has_joined_stays_and_shows_that_todays_policies_would_refuse_it(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    await mesh.conditioned(who, "AllowedByPolicy", "True")
    await mesh.allow(allow=OTHERS)
    condition = await mesh.conditioned(who, "AllowedByPolicy", "False")
    assert condition["message"].endswith(CLAUSE)
    header, row = (await mesh.kubectl("get", "war", "-n", mesh.namespace, "-o", "wide")).splitlines()
    assert header.split()[-1] == "ALLOWED"
    assert row.split()[-1] == "False"
    assert isinstance(await mesh.answer(who), Registered)


async def test_where_enforcement_is_continuous_who_is_allowed_no_more_is_out_until_it_is_again(mesh: Mesh) -> None:
    await mesh.start()
    who = mesh.who()
    await mesh.say(who)
    first: Registered = await mesh.answered(who, Registered, session(1))
    await mesh.allow(allow=OTHERS, enforcement=Enforcement.CONTINUOUS)
    assert (await _refused(mesh, who)).reason is RefusalReason.NOT_ALLOWED
    await mesh.gone(who)
    await mesh.allow(enforcement=Enforcement.CONTINUOUS)
    again: Registered = await mesh.answered(who, Registered, session(1))
    assert again.uid != first.uid


def _aws(**fields: object) -> dict[str, object]:
    return {"accounts": ["123456789012"], "ec2": {}, **fields}


def _rule(*workloads: dict[str, object], selector: dict[str, object] | None = None) -> list[dict[str, object]]:
    return [{"workloads": list(workloads), "onboardTo": [{"workloadGroupSelector": selector or {}}]}]


NONSENSE: dict[str, tuple[dict[str, Any], str]] = {
    "an account of eleven digits": ({"allow": _rule({"aws": _aws(accounts=["12345678901"])})}, "accounts[0]"),
    "no account": ({"allow": _rule({"aws": _aws(accounts=[])})}, "at least 1 items"),
    "ec2 and ecs": ({"allow": _rule({"aws": _aws(ecs={})})}, "exactly one of ec2 and ecs"),
    "two kinds": (
        {"allow": _rule({"aws": _aws(), "jwt": {"issuer": "corp"}})},
        "exactly one of aws, jwt, gcp and azure",
    ),
    "no kind": ({"allow": _rule({})}, "exactly one of aws, jwt, gcp and azure"),
    "no workloads": ({"allow": _rule()}, "at least 1 items"),
    "workloads left out": ({"allow": [{"onboardTo": [{"workloadGroupSelector": {}}]}]}, "workloads: Required value"),
    "onboardTo left out": ({"allow": [{"workloads": [{"aws": _aws()}]}]}, "onboardTo: Required value"),
    "onboardTo of nothing": ({"allow": [{"workloads": [{"aws": _aws()}], "onboardTo": []}]}, "at least 1 items"),
    "a target without a selector": (
        {"allow": [{"workloads": [{"aws": _aws()}], "onboardTo": [{}]}]},
        "workloadGroupSelector: Required value",
    ),
    "an account of letters": ({"allow": _rule({"aws": _aws(accounts=["12345678901x"])})}, "accounts[0]"),
    "accounts left out": ({"allow": _rule({"aws": {"ec2": {}}})}, "accounts: Required value"),
    "neither ec2 nor ecs": (
        {"allow": _rule({"aws": {"accounts": ["123456789012"]}})},
        "exactly one of ec2 and ecs",
    ),
    "jwt without an issuer": ({"allow": _rule({"jwt": {"subjects": ["ann"]}})}, "issuer: Required value"),
    "jwt with an empty issuer": ({"allow": _rule({"jwt": {"issuer": ""}})}, "at least 1 chars"),
    "an attribute without a name": (
        {"allow": _rule({"jwt": {"issuer": "corp", "attributes": [{"values": ["web"]}]}})},
        "name: Required value",
    ),
    "gcp without projects": ({"allow": _rule({"gcp": {"zones": ["europe-west1-b"]}})}, "projects: Required value"),
    "gcp of no project": ({"allow": _rule({"gcp": {"projects": []}})}, "at least 1 items"),
    "gcp with an empty zone": ({"allow": _rule({"gcp": {"projects": ["shop"], "zones": [""]}})}, "at least 1 chars"),
    "azure without subscriptions": (
        {"allow": _rule({"azure": {"resourceGroups": ["web"]}})},
        "subscriptions: Required value",
    ),
    "azure of no subscription": ({"allow": _rule({"azure": {"subscriptions": []}})}, "at least 1 items"),
    "gcp and azure in one entry": (
        {"allow": _rule({"gcp": {"projects": ["shop"]}, "azure": {"subscriptions": ["s-1"]}})},
        "exactly one of aws, jwt, gcp and azure",
    ),
    "a field that is not known": ({"allow": _rule({"aws": _aws(vpcs=["vpc-1"])})}, 'unknown field "spec.allow[0].'),
    "an attribute without values": (
        {"allow": _rule({"jwt": {"issuer": "corp", "attributes": [{"name": "team", "values": []}]}})},
        "at least 1 items",
    ),
    "In without values": (
        {"allow": _rule({"aws": _aws()}, selector={"matchExpressions": [{"key": "app", "operator": "In"}]})},
        "In and NotIn need values",
    ),
    "Exists with values": (
        {
            "allow": _rule(
                {"aws": _aws()},
                selector={"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["a"]}]},
            )
        },
        "In and NotIn need values",
    ),
    "a misspelt enforcement": ({"enforcement": "Always"}, "Unsupported value"),
}


@pytest.mark.parametrize(("spec", "words"), NONSENSE.values(), ids=NONSENSE.keys())
async def test_kubectl_refuses_nonsense_and_says_where(mesh: Mesh, spec: dict[str, Any], words: str) -> None:
    told = json.dumps(policy(mesh.namespace, "nonsense", **spec))
    with pytest.raises(subprocess.CalledProcessError) as failed:
        await mesh.kubectl("apply", "-f", "-", told=told)
    assert words in failed.value.stderr, failed.value.stderr
