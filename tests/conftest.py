"""What all tests share: the real parts, and a marker for the tests that need them."""

from pathlib import Path

import pytest

pytest_plugins = ["tests.support.backend", "tests.support.process_logs"]

_REAL = {"kafka", "kube", "kafka_process", "kube_process"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in tests/integration, or asks for a real part, so that `-m 'not integration'` is quick."""
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        if "integration" in Path(item.path).parts or asked & _REAL:
            item.add_marker("integration")
