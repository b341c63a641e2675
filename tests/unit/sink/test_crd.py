"""The CustomResourceDefinition and the models say the same, field by field and pattern by pattern."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import attempts, policies, resource
from schemas.attempts import AttemptSpec, AttemptStatus
from schemas.message import Message
from schemas.policies import PolicySpec
from schemas.resource import WarSpec, WarStatus

CRD = Path(__file__).parents[3] / "deploy/crd/workloadautoregistrations.yaml"
ATTEMPTS = CRD.with_name("onboardingattempts.yaml")
KEYWORDS = ("type", "enum", "pattern", "minLength", "maxLength", "minimum", "maxProperties")

STRICTER = {
    "spec.identity.jwt.attributes.maxProperties": "the cost of CEL's comparison must be bounded",
    "spec.identity.jwt.attributes.*.maxLength": "likewise",
    "spec.workloadGroup.name.maxLength": "likewise",
    "spec.workloadGroup.uid.maxLength": "likewise",
    "spec.workloadGroup.resourceVersion.maxLength": "likewise",
    "status.conditions.[].reason.pattern": "metav1.Condition's own; our reasons are constants",
    "status.conditions.[].reason.minLength": "likewise",
    "status.conditions.[].reason.maxLength": "likewise",
    "status.conditions.[].message.maxLength": "likewise",
    "status.conditions.[].observedGeneration.minimum": "likewise",
}
"""What only Kubernetes demands, and why."""


@pytest.fixture(scope="module")
def crd() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(CRD.read_text())
    return read


def facts(schema: dict[str, Any], at: str, definitions: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Tell what a schema demands, one keyword of one field after the other."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:  # a field that may be left out; the other is null
        schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        yield from facts(schema, at, definitions)
        return
    for keyword in KEYWORDS:
        if keyword in schema:
            yield f"{at}.{keyword}", schema[keyword]
    if schema.get("format") == "date-time":
        yield f"{at}.format", "date-time"
    yield from ((f"{at}.{name}", "required") for name in schema.get("required", ()))
    for name, part in schema.get("properties", {}).items():
        yield from facts(part, f"{at}.{name}", definitions)
    if isinstance(of := schema.get("additionalProperties"), dict):
        yield from facts(of, f"{at}.*", definitions)
    if "items" in schema:
        yield from facts(schema["items"], f"{at}.[]", definitions)


@pytest.mark.parametrize(
    ("part", "model"),
    [
        ("spec", WarSpec),
        ("status", WarStatus),
    ],
)
def test_the_crd_demands_what_the_models_demand(
    crd: dict[str, Any], part: str, model: type[WarSpec | WarStatus]
) -> None:
    schema = model.model_json_schema()
    ours = dict(facts(schema, part, schema.get("$defs", {})))
    served = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]
    theirs = dict(facts(served, part, {}))
    assert {at: value for at, value in theirs.items() if at not in STRICTER} == ours


def test_the_crd_of_policies_demands_what_their_model_demands() -> None:
    crd = yaml.safe_load(CRD.with_name("onboardingpolicies.yaml").read_text())["spec"]
    schema = PolicySpec.model_json_schema()
    ours = dict(facts(schema, "spec", schema["$defs"]))
    theirs = dict(facts(crd["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"], "spec", {}))
    bounds = ("maxLength", "maxProperties", "key.minLength")
    stricter = {at for at in theirs.keys() - ours.keys() if at.endswith(bounds)}
    assert {at: value for at, value in theirs.items() if at not in stricter} == ours
    assert (crd["group"], crd["names"]["kind"], crd["names"]["plural"]) == (
        policies.GROUP,
        policies.KIND,
        policies.PLURAL,
    )


def test_the_crd_names_what_the_models_name(crd: dict[str, Any]) -> None:
    spec = crd["spec"]
    assert spec["group"] == resource.GROUP
    assert spec["names"]["kind"] == resource.KIND
    assert spec["names"]["plural"] == resource.PLURAL
    assert spec["names"]["shortNames"] == [resource.SHORT_NAME]
    assert [version["name"] for version in spec["versions"]] == [resource.API_VERSION]


def test_kubectl_prints_agent_connected_and_age_and_more_only_when_asked(crd: dict[str, Any]) -> None:
    columns = crd["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns if not column.get("priority")] == ["Agent Connected", "Age"]
    assert [column["name"] for column in columns if column.get("priority")] == [
        "Group",
        "Reason",
        "Verified",
        "Group Current",
        "Allowed",
    ]


@pytest.mark.parametrize(("part", "model"), [("spec", AttemptSpec), ("status", AttemptStatus)])
def test_the_crd_of_attempts_demands_what_its_models_demand(part: str, model: type[Message]) -> None:
    schema = model.model_json_schema()
    version = yaml.safe_load(ATTEMPTS.read_text())["spec"]["versions"][0]
    served = version["schema"]["openAPIV3Schema"]["properties"][part]
    assert dict(facts(served, part, {})) == dict(facts(schema, part, schema.get("$defs", {})))


def test_the_crd_of_attempts_names_what_its_models_name_and_prints_who_why_and_how_often() -> None:
    spec = yaml.safe_load(ATTEMPTS.read_text())["spec"]
    names = spec["names"]
    assert (spec["group"], names["kind"], names["plural"]) == (attempts.GROUP, attempts.KIND, attempts.PLURAL)
    assert names["shortNames"] == [attempts.SHORT_NAME]
    columns = spec["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns if not column.get("priority")] == [
        *("Group", "Reason", "Attempts", "Last", "Age"),
    ]
    assert [column["name"] for column in columns if column.get("priority")] == ["Message"]
