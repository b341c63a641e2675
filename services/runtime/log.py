"""Logs: a line per event on stderr, JSON for machines or coloured for people; libraries' logs in the same form."""

import logging
import os
import sys
from typing import Any

import structlog

from services.runtime.config import LogSettings

_NOISY = ("faust", "mode", "aiokafka", "aiohttp", "kubernetes", "kubernetes_asyncio", "asyncio", "urllib3")
"""Libraries that log their ordinary work at INFO: from WARNING on they are heard."""

REPEAT_S = 30.0
"""aiokafka tells of every attempt while a broker is away, twenty a second: the same words are told once in this."""


class _Repeats(logging.Filter):
    """Lets the same words of the same library, whatever stands in them, pass once in ``REPEAT_S``."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is to be told."""
        words = (record.name, str(record.msg))
        if record.created - self._told.get(words, float("-inf")) < REPEAT_S:
            return False
        self._told[words] = record.created
        return True


def configure(service: str, settings: LogSettings) -> None:
    """Send our logs and those of the libraries to stderr; ``service`` is a field of every line of ours."""
    # Faust and aiokafka ask for DEBUG once per message: refuse before a record is made.
    logging.disable(logging.DEBUG)
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering = _rendering(settings)
    structlog.configure(
        processors=[*shared, _named(service), *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, _named(service)],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    handler.addFilter(_Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _named(service: str) -> Any:  # noqa: ANN401 - structlog's own type of a processor is as wide
    def add(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event.setdefault("service", service)
        return event

    return add


def _rendering(settings: LogSettings) -> list[Any]:
    people = sys.stderr.isatty() if settings.format == "auto" else settings.format == "console"
    if people:
        # https://no-color.org: any non-empty value
        colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        return [structlog.dev.ConsoleRenderer(colors=colors)]
    return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(default=str)]
