"""Settings of the processor that cannot work together are refused at the start."""

from pathlib import Path
from typing import Any

import pytest

from services.processor.core.rules import Rules
from services.processor.settings import ProcessorSettings
from services.runtime.config import ConfigError, load


def test_the_defaults_are_the_rules_of_the_core() -> None:
    assert load(ProcessorSettings).rules.rules() == Rules()


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"rules": {"window_ms": 0}}, "rules.window_ms"),
        ({"rules": {"missed_windows": 0}}, "rules.missed_windows"),
        ({"rules": {"brake_share": 1.5}}, "rules.brake_share"),
        ({"rules": {"brake_share": 0.2, "brake_release_share": 0.5}}, "brake_release_share must not be above"),
        ({"group": {"chunk_records": 0}}, "group.chunk_records"),
        ({"group": {"session_timeout_seconds": 3, "heartbeat_seconds": 2}}, "at most a third of"),
        ({"drain_seconds": 0}, "drain_seconds"),
        ({"rule": {}}, "rule"),
    ],
)
def test_what_cannot_work_is_refused_by_name(overrides: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load(ProcessorSettings, **overrides)


def test_the_key_goes_by_its_name_of_when_it_signed_roles_alone_too() -> None:
    for name in ("key", "role_key"):
        assert load(ProcessorSettings, trust={name: "a.key"}).trust.key == Path("a.key")
