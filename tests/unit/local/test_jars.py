"""Kafka's jars are there whole or not at all."""

from pathlib import Path

import pytest

from services.local import jars
from services.local.cache import quietly
from services.local.child import StartError


def test_where_maven_central_is_out_of_reach_the_error_says_what_to_do_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy on a port where nobody listens stands for a machine without a network."""
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("MUSTER_CACHE_DIR", str(tmp_path))
    with pytest.raises(StartError, match=r"Maven Central(.|\n)*HTTPS_PROXY"):
        jars.classpath(quietly)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_jars_in_the_cache_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_CACHE_DIR", str(tmp_path))
    for name in ("b.jar", "a.jar", "a.pom"):
        file = tmp_path / "kafka-4.4.0" / "deep" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    found = jars.classpath(quietly).split(":")
    assert [Path(path).name for path in found] == ["a.jar", "b.jar"]
