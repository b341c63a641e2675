"""Configuration of a service: command line over environment over file over defaults, checked whole at the start.

An unknown key is an error, in the file and in the environment's nested names: a setting that is silently not taken
is worse than none. A ``ConfigError`` lists every bad field, where its value came from, and what to do.
"""

import os
import ssl
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from services.runtime.config_faults import ENV_PREFIX, Sources, explained

FILE_VARIABLE = "MUSTER_CONFIG"
"""The environment variable that names the file where no ``--config`` does."""

_file: ContextVar[dict[str, Any] | None] = ContextVar("configuration file", default=None)


class ConfigError(Exception):
    """The configuration cannot be used; the text says what, where and what to do."""


class Section(BaseModel):
    """Base of the nested parts of a service's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(Section):
    """How to reach Kafka; the words are those of Kafka's own clients."""

    bootstrap_servers: str = Field(default="localhost:9092", min_length=1)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None

    @model_validator(mode="after")
    def _credentials_where_needed(self) -> "KafkaSettings":
        if self.security_protocol.startswith("SASL") and (self.sasl_username is None or self.sasl_password is None):
            raise ValueError(f"{self.security_protocol} needs sasl_username and sasl_password")
        return self

    def client_args(self) -> dict[str, Any]:
        """Return the arguments that every client of aiokafka takes."""
        args: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            args["ssl_context"] = self._ssl_context()
        if self.security_protocol.startswith("SASL") and self.sasl_password is not None:
            args["sasl_mechanism"] = self.sasl_mechanism
            args["sasl_plain_username"] = self.sasl_username
            args["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return args

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
            if self.ssl_certfile is not None:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        except OSError as cause:  # ssl.SSLError is one
            files = ", ".join(str(path) for path in (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile) if path)
            raise ConfigError(f"kafka.ssl_*: cannot use {files}: {cause}") from cause
        return context


class HttpSettings(Section):
    """Where /healthz, /readyz and /metrics are served: port 0 is any free one, ``null`` is none at all."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=0, ge=0, le=65535)


class LogSettings(Section):
    """What is logged and how: ``auto`` is for people on a terminal and JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class ServiceSettings(BaseSettings):
    """What every service has; each adds its own fields in ``services/<name>/settings.py``."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_parse_none_str="null",
        extra="forbid",
        frozen=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Set the order: overrides, environment, file; no dotenv and no secrets folder."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _file.get() or {})


S = TypeVar("S", bound=ServiceSettings)


def load(cls: type[S], file: Path | None = None, **overrides: object) -> S:
    """Return the settings of a service, or raise ``ConfigError`` with everything that is wrong with them.

    ``overrides`` come from the command line; a nested one is a mapping (``kafka={"bootstrap_servers": …}``).
    """
    if file is None and os.environ.get(FILE_VARIABLE):
        file = Path(os.environ[FILE_VARIABLE])
    content = _read(file) if file is not None else {}
    token = _file.set(content)
    try:
        return cls(**cast("dict[str, Any]", overrides))
    except SettingsError as cause:
        raise ConfigError(f"environment: {cause}: {cause.__cause__}") from cause
    except ValidationError as error:
        raise ConfigError(explained(cls, error, Sources(overrides, file, content))) from None
    finally:
        _file.reset(token)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise ConfigError(f"{file}: cannot be read as YAML: {cause}") from cause
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{file}: expected settings by name, like `kafka:`; found a {type(content).__name__}")
    return content
