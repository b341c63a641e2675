"""What the agent and the fleet can be told, and what is said of what they cannot."""

from pathlib import Path

import pytest

from services.agent.fleet import machine
from services.agent.introduction import introduce
from services.agent.settings import AgentSettings, FleetSettings, ReportSettings
from services.runtime.config import ConfigError, load


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.yaml"
    path.write_text(text)
    return path


BASE = "namespace: bookinfo\nworkload_group: ratings\n"


def test_an_agent_is_configured_by_a_file_of_few_lines(tmp_path: Path) -> None:
    settings = load(AgentSettings, written(tmp_path, BASE + "identity: {ec2: {}}\n"))
    assert settings.identity.ec2 is not None
    assert settings.identity.ec2.endpoint == "http://169.254.169.254"
    assert settings.pacing.pacing().heartbeat_ms == 5_000


def test_the_environment_configures_an_agent_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_NAMESPACE", "bookinfo")
    monkeypatch.setenv("MUSTER_WORKLOAD_GROUP", "ratings")
    monkeypatch.setenv("MUSTER_IDENTITY__FILE", "identity.yaml")
    monkeypatch.setenv("MUSTER_PACING__HEARTBEAT_SECONDS", "0.5")
    assert load(AgentSettings).pacing.pacing().heartbeat_ms == 500


ECS = BASE + "identity: {ecs: {file: token, issuer: tasks}}\n"


def test_a_container_of_ecs_is_told_where_its_metadata_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0")
    settings = load(AgentSettings, written(tmp_path, ECS))
    assert settings.identity.ecs is not None
    assert settings.identity.ecs.endpoint == "http://169.254.170.2/v4/0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BASE, "identity: Field required"),
        (ECS, "ECS_CONTAINER_METADATA_URI_V4 is not set in the environment: is this a container of an ECS task?"),
        (BASE + "identity: {}\n", "identity: give exactly one of identity.file, .ec2, .jwt"),
        (BASE + "identity: {file: a, ec2: {}}\n", "identity: give exactly one"),
        (BASE + "identity: {file: a}\nsidecar: {command: [envoy]}\n", "sidecar: sidecar.command needs"),
        (BASE + "identity: {file: a}\npacing: {jitter: 2}\n", "pacing.jitter: Input should be less than 1"),
        (BASE + "identity: {file: a}\npacing: {heartbeat: 2}\n", "did you mean heartbeat_seconds"),
    ],
)
def test_a_bad_configuration_is_an_error_that_names_the_field(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(AgentSettings, written(tmp_path, text))
    assert words in str(caught.value)


def test_one_group_of_a_fleet_needs_no_list() -> None:
    assert load(FleetSettings, groups="bookinfo/ratings").groups == ("bookinfo/ratings",)


def test_a_group_of_a_fleet_has_a_namespace() -> None:
    with pytest.raises(ConfigError, match=r"groups\.0"):
        load(FleetSettings, groups=("ratings",))


def test_a_group_that_kubernetes_would_refuse_is_an_error_before_anything_is_sent() -> None:
    with pytest.raises(ConfigError, match="workload group 'Ratings_1' is not an RFC 1123 subdomain"):
        introduce("bookinfo", "Ratings_1", machine(1, 1), ReportSettings())


def test_a_registration_too_large_for_an_event_is_an_error_before_anything_is_sent() -> None:
    labels = {f"label-{number}": "x" * 1000 for number in range(70)}
    with pytest.raises(ConfigError, match="report fewer or shorter labels"):
        introduce("bookinfo", "ratings", machine(1, 1), ReportSettings(labels=labels))


def test_the_configuration_goes_over_what_the_source_of_identity_found() -> None:
    report = ReportSettings(labels={"version": "v9"}, istio_version="1.29.0", addresses=())
    registration = introduce("bookinfo", "ratings", machine(1, 1), report).registration
    assert registration.host.addresses == ()
    assert registration.workload.labels == {"version": "v9"}
    assert registration.sidecar.istio is not None
    assert registration.sidecar.istio.version == "1.29.0"
