"""The processor's house, for a replay of what happened in it."""

from tests.integration.processor.conftest import house

__all__ = ["house"]
