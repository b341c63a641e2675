"""A process whose logs a test configures."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def restored_logs() -> Iterator[None]:
    """For tests that configure the process's logs: what they set ends with them."""
    root = logging.getLogger()
    handlers, level, disabled = root.handlers[:], root.level, root.manager.disable
    yield
    root.handlers[:], root.manager.disable = handlers, disabled
    root.setLevel(level)
    structlog.reset_defaults()
