"""The snapshot in our CRD and the WorkloadGroup in Istio's own say the same, field by field."""

from typing import Any

import pytest
import yaml

from services.local import crds, golang


@pytest.mark.usefixtures("kube")
def test_the_snapshot_has_every_field_that_istios_own_groups_have() -> None:
    """A field that Istio adds and we do not know would be refused with its name, and nobody could join that group."""

    def fields(schema: dict[str, Any], at: str = "") -> dict[str, object]:
        found: dict[str, object] = {at: schema.get("type")}
        for name, part in schema.get("properties", {}).items():
            found |= fields(part, f"{at}.{name}")
        if isinstance(of := schema.get("additionalProperties"), dict):
            found |= fields(of, f"{at}.*")
        return found

    def spec(definition: dict[str, Any]) -> dict[str, Any]:
        (served,) = (one for one in definition["spec"]["versions"] if one["storage"])
        found: dict[str, Any] = served["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        return found

    istios = {one["spec"]["names"]["kind"]: spec(one) for one in yaml.safe_load_all(crds.istio().read_text())}
    group = istios["WorkloadGroup"]
    ours = spec(yaml.safe_load((golang.DEPLOY / "crd" / "workloadautoregistrations.yaml").read_text()))
    snapshot = ours["workloadGroup"]["properties"]["spec"]["properties"]
    assert set(group) - set(snapshot) == {"probe"}
    for part in ("metadata", "template"):
        assert fields(snapshot[part]) == fields(group[part])
