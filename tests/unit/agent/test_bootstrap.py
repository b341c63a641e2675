"""What the sidecar is given: Istio's variables, written whole or not at all."""

import json
import shlex
from pathlib import Path

from schemas.events import Address, AddressType, AgentSoftware, Host, Registration, Settings, WorkloadReport
from schemas.registrations import Registered
from schemas.resource import GroupSnapshot
from services.agent.bootstrap import cluster_env, node_id, write

NAME = "ratings-aws-aws-123456789012-us-east-2b-ec2-i-1234567890abcdef0"
REGISTERED = Registered(
    session="00000000-0000-4000-8000-000000000000",
    namespace="bookinfo",
    name=NAME,
    uid="u",
    snapshot=GroupSnapshot(
        name="ratings",
        uid="g",
        generation=1,
        resource_version="7",
        spec={
            "metadata": {"labels": {"app": "ratings", "class": "vm"}},
            "template": {"serviceAccount": "bookinfo-ratings", "network": "vpc-1", "ports": {"http": 9080}},
        },
    ),
)
REGISTRATION = Registration(
    agent=AgentSoftware(version="v1.4.0"),
    host=Host(
        addresses=(
            Address(ip="172.31.5.254", type=AddressType.VPC),
            Address(ip="3.15.20.7", type=AddressType.INTERNET),
        )
    ),
    workload=WorkloadReport(labels={"version": "v5"}),
)


def test_proxy_status_lists_the_sidecar_under_the_name_of_its_registration() -> None:
    assert node_id(cluster_env(REGISTERED, REGISTRATION, {})).split("~") == [
        "sidecar",
        "172.31.5.254",
        f"{NAME}.bookinfo",
        "bookinfo.svc.cluster.local",
    ]


def test_the_variables_are_those_of_the_groups_snapshot_and_of_the_machine() -> None:
    variables = cluster_env(REGISTERED, REGISTRATION, {})
    assert variables["SERVICE_ACCOUNT"] == "bookinfo-ratings"
    assert variables["ISTIO_META_NETWORK"] == "vpc-1"
    assert variables["ISTIO_INBOUND_PORTS"] == "9080"
    assert json.loads(variables["ISTIO_METAJSON_LABELS"]) == {
        "app": "ratings",
        "class": "vm",
        "version": "v5",
        "service.istio.io/canonical-name": "ratings",
        "service.istio.io/canonical-revision": "v5",
    }


def test_istiod_is_never_asked_to_register_the_workload_itself() -> None:
    assert "ISTIO_META_AUTO_REGISTER_GROUP" not in cluster_env(REGISTERED, REGISTRATION, {})


def test_peers_reach_the_machine_over_the_address_it_is_connected_over() -> None:
    over = REGISTRATION.model_copy(update={"settings": Settings(connected_over=AddressType.INTERNET)})
    assert cluster_env(REGISTERED, over, {})["ISTIO_SVC_IP"] == "3.15.20.7"


def test_the_operators_variables_are_added_and_override_none_of_ours() -> None:
    variables = cluster_env(REGISTERED, REGISTRATION, {"TRUST_DOMAIN": "corp.example", "POD_NAME": "mine"})
    assert (variables["TRUST_DOMAIN"], variables["POD_NAME"]) == ("corp.example", NAME)


def test_a_shell_reads_back_what_was_written_and_no_other_file_stays(tmp_path: Path) -> None:
    variables = cluster_env(REGISTERED, REGISTRATION, {"ODD": 'it\'s $HOME `x` "y"'})
    assert write(tmp_path / "envoy", variables)
    lines = shlex.split((tmp_path / "envoy" / "cluster.env").read_text())
    assert dict(line.split("=", 1) for line in lines) == variables
    assert [path.name for path in (tmp_path / "envoy").iterdir()] == ["cluster.env"]


def test_writing_the_same_again_is_no_change(tmp_path: Path) -> None:
    variables = cluster_env(REGISTERED, REGISTRATION, {})
    assert [write(tmp_path, variables), write(tmp_path, variables)] == [True, False]
