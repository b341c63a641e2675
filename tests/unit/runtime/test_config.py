from pathlib import Path

import pytest
from pydantic import Field

from services.runtime.config import ConfigError, KafkaSettings, Section, ServiceSettings, load


class Windows(Section):
    length_s: float = Field(default=10.0, gt=0)
    missed: int = 3


class ExampleSettings(ServiceSettings):
    name: str
    windows: Windows = Windows()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "muster.yaml"
    path.write_text("name: from-file\nwindows:\n  missed: 5\n")
    return path


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSTER_CONFIG", raising=False)
    monkeypatch.delenv("MUSTER_NAME", raising=False)


def test_the_file_overrides_the_defaults(file: Path) -> None:
    settings = load(ExampleSettings, file)
    assert (settings.name, settings.windows.missed, settings.windows.length_s) == ("from-file", 5, 10.0)


def test_the_environment_overrides_the_file_field_by_field(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_WINDOWS__LENGTH_S", "2.5")
    settings = load(ExampleSettings, file)
    assert settings.windows == Windows(length_s=2.5, missed=5)


def test_the_command_line_overrides_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_WINDOWS__MISSED", "6")
    settings = load(ExampleSettings, file, windows={"missed": "7"})
    assert settings.windows.missed == 7


def test_the_file_may_be_named_by_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_CONFIG", str(file))
    assert load(ExampleSettings).name == "from-file"


def test_null_in_the_environment_turns_http_off(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_HTTP__PORT", "null")
    assert load(ExampleSettings, file).http.port is None


def test_an_empty_file_is_a_file_without_settings(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing yet\n")
    assert load(ExampleSettings, empty, name="x").name == "x"


def test_all_faults_are_told_at_once_each_with_its_origin(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("windws: {}\nwindows: {length_s: -1}\n")
    monkeypatch.setenv("MUSTER_LOG__LEVEL", "loud")
    with pytest.raises(ConfigError) as raised:
        load(ExampleSettings, file, http={"port": 99999})
    words = str(raised.value)
    assert f"windws: no such setting; did you mean windows? (from {file})" in words
    assert f"windows.length_s: Input should be greater than 0; found '-1' (from {file})" in words
    assert "found 'loud' (from the environment variable MUSTER_LOG__LEVEL)" in words
    assert "http.port: Input should be less than or equal to 65535; found '99999' (from the command line)" in words
    assert "name: Field required (give it as MUSTER_NAME, in a --config file, or with --set name=…)" in words


def test_an_unknown_nested_name_in_the_environment_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_KAFKA__BOOTSTRAP_SERVER", "x:1")
    with pytest.raises(ConfigError, match=r"kafka\.bootstrap_server: no such setting; did you mean bootstrap_servers"):
        load(ExampleSettings, file)


@pytest.mark.parametrize("content", [b"a: [", b"- a\n", b"1: 2\n", b"\xff\xfe\x00", b"name: !!python/object:x {}"])
def test_a_file_that_is_no_mapping_of_settings_is_named(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=str(file)):
        load(ExampleSettings, file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load(ExampleSettings, tmp_path / "nowhere.yaml")


def test_broken_json_in_the_environment_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_KAFKA", "{nope")
    with pytest.raises(ConfigError, match='"kafka"'):
        load(ExampleSettings, file)


def test_a_password_is_never_shown(file: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(ExampleSettings, file, kafka={"sasl_password": 12345, "bootstrap_servers": ""})
    assert "kafka.sasl_password" in str(raised.value)
    assert "12345" not in str(raised.value)
    assert "hunter2" not in repr(load(ExampleSettings, file, kafka={"sasl_password": "hunter2"}))


def test_sasl_without_credentials_is_an_error(file: Path) -> None:
    with pytest.raises(ConfigError, match="SASL_SSL needs sasl_username and sasl_password"):
        load(ExampleSettings, file, kafka={"security_protocol": "SASL_SSL"})


def test_plain_settings_give_aiokafka_no_credentials() -> None:
    assert KafkaSettings(bootstrap_servers="a:1,b:2").client_args() == {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "PLAINTEXT",
    }


def test_sasl_settings_reach_aiokafka_in_its_own_words() -> None:
    settings = KafkaSettings.model_validate(
        {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "me", "sasl_password": "p", "sasl_mechanism": "PLAIN"}
    )
    args = settings.client_args()
    assert (args["sasl_mechanism"], args["sasl_plain_username"], args["sasl_plain_password"]) == ("PLAIN", "me", "p")


def test_an_unusable_ca_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        KafkaSettings(security_protocol="SSL", ssl_cafile=missing).client_args()
