"""Configuration of the processor; field names here are those of the file and of the environment."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from services.processor.core.rules import Rules
from services.runtime.config import Section, ServiceSettings

Share = Annotated[float, Field(gt=0, le=1)]
Windows = Annotated[int, Field(ge=1, le=10_000_000)]
_DEFAULT = Rules()


class RulesSettings(Section):
    """The numbers by which the roll is called. All workers of a cluster must have the same."""

    window_ms: Annotated[int, Field(ge=50, le=3_600_000)] = _DEFAULT.window_ms
    missed_windows: Windows = _DEFAULT.missed_windows
    grace_windows: Windows = _DEFAULT.grace_windows
    brake_share: Share = _DEFAULT.brake_share
    brake_least: Annotated[int, Field(ge=1)] = _DEFAULT.brake_least
    brake_release_share: Share = _DEFAULT.brake_release_share
    forget_windows: Windows = _DEFAULT.forget_windows
    superseded_kept: Annotated[int, Field(ge=1, le=1000)] = _DEFAULT.superseded_kept

    @model_validator(mode="after")
    def _brake_lets_go(self) -> Self:
        if self.brake_release_share > self.brake_share:
            raise ValueError("brake_release_share must not be above brake_share: the brake would never hold")
        return self

    def rules(self) -> Rules:
        """Return the same for the core."""
        return Rules(**self.model_dump())


class GroupSettings(Section):
    """How workers share the partitions, and how much one takes at a time."""

    session_timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 12.0
    """A worker that dies silently is replaced after this long."""
    heartbeat_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    commit_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    chunk_records: Annotated[int, Field(ge=1, le=50_000)] = 2000
    """At most so many records are taken at once."""

    @model_validator(mode="after")
    def _heartbeats_in_time(self) -> Self:
        if self.heartbeat_seconds * 3 > self.session_timeout_seconds:
            raise ValueError("heartbeat_seconds must be at most a third of session_timeout_seconds")
        return self


class TrustSettings(Section):
    """By what identities are verified (ADR 0010)."""

    bundle: Path | None = None
    """The trust bundle, a folder or a file; none: AWS's certificates, which are part of Muster."""
    kept: Path | None = None
    """Folder in which each bundle that was in force is kept, under its digest: what a replay of the log needs."""
    key: Path | None = None
    """Ed25519 private key (PEM) that signs what the processor says in the log, and what STS said of roles; none: roles
    are not asked for, and a bundle that demands signatures is refused (ADR 0014)."""
    sts_endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#]+/?$")] | None = None
    """Where STS is reached in the place of ``https://sts.<region>.amazonaws.com``: a proxy or a VPC's own endpoint."""

    @model_validator(mode="before")
    @classmethod
    def _key_of_old(cls, told: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
        """Take ``role_key`` for ``key``: so it was called when it signed nothing but roles."""
        if isinstance(told, dict) and "role_key" in told and "key" not in told:
            return {("key" if name == "role_key" else name): value for name, value in told.items()}
        return told


class ProcessorSettings(ServiceSettings):
    """``muster processor``; how many partitions there are is read from Kafka."""

    rules: RulesSettings = RulesSettings()
    group: GroupSettings = GroupSettings()
    trust: TrustSettings = TrustSettings()
    drain_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long the last commit and the goodbye to the group may take after SIGTERM."""
