"""Options that the services' commands share, and how they become settings."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

EXIT_WRONG = 1
"""What was looked at is not as it should be."""
EXIT_USAGE = 2
"""The command line or the configuration cannot be used."""


class Output(StrEnum):
    """Forms of output."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"


class Form(StrEnum):
    """Forms of output that know no wide one."""

    TABLE = "table"
    JSON = "json"


Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="MUSTER_CONFIG", metavar="FILE", help="YAML file with settings."),
]
Servers = Annotated[
    str | None,
    typer.Option("--bootstrap-servers", metavar="HOST:PORT,…", help="Kafka. [default: localhost:9092]"),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.SUB=VALUE", help="One setting; may be repeated."),
]
LogFormat = Annotated[str | None, typer.Option("--log-format", metavar="auto|json|console", help="Form of the logs.")]

if TYPE_CHECKING:
    from typing import TypeVar

    from services.runtime.config import ServiceSettings

    S = TypeVar("S", bound=ServiceSettings)


def settings_of(
    cls: "type[S]",
    service: str,
    config: Path | None = None,
    servers: str | None = None,
    assignments: list[str] | None = None,
    log_format: str | None = None,
) -> "S":
    """Return the settings a command runs with, logs configured; or end it with exit code 2, every fault on stderr."""
    from services.runtime import log
    from services.runtime.config import ConfigError, load

    try:
        overrides = assigned(assignments or [])
        if servers is not None:
            _put(overrides, ["kafka", "bootstrap_servers"], servers)
        if log_format is not None:
            _put(overrides, ["log", "format"], log_format)
        settings = load(cls, config, **overrides)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_USAGE) from None
    log.configure(service, settings.log)
    return settings


def assigned(assignments: list[str]) -> dict[str, Any]:
    """Return ``key.sub=value`` texts as nested settings: texts, but ``null`` is None and ``[a, b]`` a list."""
    import yaml

    from services.runtime.config import ConfigError

    settings: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            raise ConfigError(f"--set {text}: expected KEY=VALUE or KEY.SUB=VALUE")
        try:
            structured = value == "null" or value.startswith(("[", "{"))
            _put(settings, path, yaml.safe_load(value) if structured else value)
        except (yaml.YAMLError, TypeError) as cause:
            raise ConfigError(f"--set {text}: {cause}") from cause
    return settings


def _put(settings: dict[str, Any], path: list[str], value: object) -> None:
    for part in path[:-1]:
        settings = settings.setdefault(part, {})
        if not isinstance(settings, dict):
            raise TypeError(f"{part} is set as a whole already")
    settings[path[-1]] = value
