"""The WorkloadEntry: whose word counts where the group and the agent both say something."""

from typing import Any

import pytest

from schemas.events import Address, AddressType, AgentSoftware, Host, Registration, Settings, WorkloadReport
from schemas.identity import Identity, JwtIdentity
from schemas.resource import GroupSnapshot, WarSpec
from services.sink.core import entry
from services.sink.core.health import CHECKED
from services.sink.core.objects import War
from tests.support.registry import joiner

VPC = Address(ip="172.31.5.254", type=AddressType.VPC)
INTERNET = Address(ip="203.0.113.9", type=AddressType.INTERNET)
TEMPLATE = {
    "serviceAccount": "ratings",
    "network": "vms",
    "locality": "of-the-group",
    "weight": 3,
    "ports": {"http": 80},
    "labels": {"app": "template", "tier": "template"},
}
METADATA = {
    "labels": {"app": "metadata", "version": "metadata"},
    "annotations": {"team": "ratings", "istio.io/autoRegistrationGroup": "ratings", "istio.io/connectedAt": "now"},
}


def made(**told: Any) -> dict[str, Any] | None:  # noqa: ANN401 - parts of a registration
    """Return the entry of a workload that reported this."""
    identity = told.pop("identity", joiner(1).identity)
    spec = {"metadata": told.pop("group", METADATA), "template": TEMPLATE, "probe": told.pop("probe", None)}
    registration = Registration(agent=AgentSoftware(version="v1"), **({"host": Host(addresses=(VPC, INTERNET))} | told))
    taken = GroupSnapshot(name="ratings", uid="u", generation=1, resource_version="1", spec=spec)
    war_spec = WarSpec(identity=identity, registration=registration, workload_group=taken)
    war = War(
        "bookinfo", "ratings-x", "uid-of-the-war", 1, "2", deleting=False, spec=war_spec, status=None, manifest={}
    )
    return entry.manifest(war, war_spec)


def test_the_template_is_taken_over_whole() -> None:
    made_of = made()
    assert made_of is not None
    assert {key: made_of["spec"][key] for key in ("serviceAccount", "network", "weight", "ports")} == {
        key: TEMPLATE[key] for key in ("serviceAccount", "network", "weight", "ports")
    }


def test_labels_of_the_workload_win_over_the_groups_and_those_over_the_templates() -> None:
    made_of = made(workload=WorkloadReport(labels={"version": "workload"}))
    assert made_of is not None
    assert made_of["spec"]["labels"] == {"app": "metadata", "tier": "template", "version": "workload"}


def test_the_object_carries_the_groups_labels_and_no_word_of_the_agents() -> None:
    """The object's own labels select it in Kubernetes: an agent has no say in that."""
    made_of = made(workload=WorkloadReport(labels={"version": "workload", "app.kubernetes.io/managed-by": "me"}))
    assert made_of is not None
    assert made_of["metadata"]["labels"] == {**METADATA["labels"], "app.kubernetes.io/managed-by": "muster"}


def test_no_annotation_makes_istiod_take_the_entry_for_its_own() -> None:
    made_of = made()
    assert made_of is not None
    assert made_of["metadata"]["annotations"] == {"team": "ratings"}


def test_a_group_whose_sidecars_are_probed_has_its_endpoints_checked_from_the_beginning() -> None:
    """Else istiod would not look at what the probe finds."""
    made_of = made(probe={"httpGet": {"port": 80}})
    assert made_of is not None
    assert made_of["metadata"]["annotations"][CHECKED] == "true"


def test_a_group_that_says_so_has_its_endpoints_out_of_istios_health_checks() -> None:
    made_of = made(group={"annotations": {CHECKED: "false"}})
    assert made_of is not None
    assert made_of["metadata"]["annotations"] == {CHECKED: "false"}


@pytest.mark.parametrize(("over", "ip"), [(AddressType.VPC, VPC.ip), (AddressType.INTERNET, INTERNET.ip)])
def test_peers_use_the_address_that_is_asked_for(over: AddressType, ip: str) -> None:
    made_of = made(settings=Settings(connected_over=over))
    assert made_of is not None
    assert made_of["spec"]["address"] == ip


def test_without_an_address_of_that_type_there_is_no_entry_and_no_other_address_is_used() -> None:
    assert made(host=Host(addresses=(INTERNET,))) is None


def test_where_a_machine_is_on_aws_is_known_and_elsewhere_the_group_says() -> None:
    on_aws, elsewhere = made(), made(identity=Identity(jwt=JwtIdentity(issuer="corp", subject="vm-1")))
    assert on_aws is not None
    assert elsewhere is not None
    assert on_aws["spec"]["locality"] == "us-east-2/us-east-2b"
    assert elsewhere["spec"]["locality"] == "of-the-group"


def test_making_an_entry_changes_nothing_in_the_snapshot() -> None:
    made(workload=WorkloadReport(labels={"version": "workload"}))
    assert TEMPLATE["labels"] == {"app": "template", "tier": "template"}
