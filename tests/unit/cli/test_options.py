from pathlib import Path

import pytest
import typer

from services.cli.options import assigned, settings_of
from services.runtime.config import ConfigError, ServiceSettings

pytestmark = pytest.mark.usefixtures("restored_logs")


def test_assignments_are_nested_settings() -> None:
    given = ["kafka.bootstrap_servers=a:1,b:2", "http.port=null", "groups=[a/b, c/d]", "reason=x=y"]
    assert assigned(given) == {
        "kafka": {"bootstrap_servers": "a:1,b:2"},
        "http": {"port": None},
        "groups": ["a/b", "c/d"],
        "reason": "x=y",
    }


@pytest.mark.parametrize("text", ["nothing", "=1", "a..b=1", ".a=1", "a=[", "a={x: ["])
def test_an_assignment_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        assigned([text])
    assert f"--set {text}" in str(raised.value)


def test_a_setting_cannot_be_a_text_and_have_parts() -> None:
    with pytest.raises(ConfigError, match=r"--set kafka\.x=1: kafka is set as a whole already"):
        assigned(["kafka=1", "kafka.x=1"])


def test_an_option_of_its_own_goes_before_set() -> None:
    settings = settings_of(ServiceSettings, "test", None, "a:1", ["kafka.bootstrap_servers=b:2"], "json")
    assert (settings.kafka.bootstrap_servers, settings.log.format) == ("a:1", "json")


def test_a_bad_configuration_ends_with_code_2_and_words_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as raised:
        settings_of(ServiceSettings, "test", tmp_path / "nowhere.yaml")
    assert raised.value.exit_code == 2
    assert "nowhere.yaml" in capsys.readouterr().err
