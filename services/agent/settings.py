"""Configuration of the agent and of the fleet; field names here are those of the file and of the environment."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from schemas.events import Address, AddressType
from services.agent.core.pacing import Pacing
from services.runtime.config import Section, ServiceSettings

METADATA_URI = "ECS_CONTAINER_METADATA_URI_V4"
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class PacingSettings(Section):
    """How often the agent says something; shorten ``heartbeat_seconds`` with the processor's window (half of it)."""

    heartbeat_seconds: Seconds = 5.0
    jitter: Annotated[float, Field(ge=0, lt=1)] = 0.2
    introduction_seconds: Seconds = 180.0
    retry_seconds: Seconds = 10.0
    """Introductions of a session that may be unknown come after this, twice this … up to ``introduction_seconds``."""
    patience_seconds: Seconds = 30.0
    backoff_seconds: Seconds = 1.0
    backoff_cap_seconds: Seconds = 60.0
    drain_seconds: Seconds = 5.0

    def pacing(self) -> Pacing:
        """Return the same for the core, in milliseconds."""
        return Pacing(
            heartbeat_ms=int(self.heartbeat_seconds * 1000),
            jitter=self.jitter,
            introduction_ms=int(self.introduction_seconds * 1000),
            retry_ms=int(self.retry_seconds * 1000),
            patience_ms=int(self.patience_seconds * 1000),
            backoff_ms=int(self.backoff_seconds * 1000),
            backoff_cap_ms=int(self.backoff_cap_seconds * 1000),
            drain_ms=int(self.drain_seconds * 1000),
        )


class Ec2Settings(Section):
    """EC2's instance metadata service."""

    endpoint: str = "http://169.254.169.254"
    timeout_seconds: Seconds = 2.0
    iam_role: bool = False
    """Show the machine's IAM role too: the processor asks STS."""


class JwtSettings(Section):
    """An OIDC token in a file, which something else keeps fresh."""

    file: Path
    issuer: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    """Short name that this Muster's trust bundle gives to who signed it."""


class EcsSettings(JwtSettings):
    """An ECS task: a token in a file, of an issuer that the trust bundle knows as of kind ``ecs``."""

    endpoint: str = Field(default_factory=lambda: os.environ.get(METADATA_URI, ""), validate_default=True)
    """Where the task's metadata is; ECS says it to every container, in the environment."""
    timeout_seconds: Seconds = 2.0

    @field_validator("endpoint")
    @classmethod
    def _somewhere(cls, value: str) -> str:
        if not value:
            raise ValueError(f"{METADATA_URI} is not set in the environment: is this a container of an ECS task?")
        return value


class GcpSettings(Section):
    """Google Compute Engine's metadata server."""

    endpoint: str = "http://169.254.169.254"
    timeout_seconds: Seconds = 2.0


class AzureSettings(Section):
    """Azure's instance metadata service."""

    endpoint: str = "http://169.254.169.254"
    timeout_seconds: Seconds = 2.0


class IdentitySettings(Section):
    """Where the identity and what proves it come from: exactly one of the sources."""

    file: Path | None = None
    ec2: Ec2Settings | None = None
    jwt: JwtSettings | None = None
    ecs: EcsSettings | None = None
    gcp: GcpSettings | None = None
    azure: AzureSettings | None = None
    audience: str = "muster"
    """For whom tokens of GCP and Azure, and the claim of an IAM role, are: one of the trust bundle's audiences."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "IdentitySettings":
        if sum(one is not None for one in (self.file, self.ec2, self.jwt, self.ecs, self.gcp, self.azure)) != 1:
            raise ValueError(
                "give exactly one of identity.file, .ec2, .jwt, .ecs, .gcp and .azure (`ec2: {}` takes its defaults)"
            )
        return self


class ReportSettings(Section):
    """What the agent reports of its machine beyond what the identity's source knows."""

    labels: dict[str, str] = Field(default_factory=dict)
    istio_version: str | None = None
    connected_over: AddressType | None = None
    addresses: tuple[Address, ...] | None = None
    """Overrides the addresses the identity's source found."""


class SidecarSettings(Section):
    """What is done with Istio's sidecar on this machine: nothing, unless a directory is given."""

    directory: Path | None = None
    """Where ``cluster.env`` is written; Istio's own packages read /var/lib/istio/envoy."""
    environment: dict[str, str] = Field(default_factory=dict)
    """More of Istio's variables (ISTIO_META_CLUSTER_ID, TRUST_DOMAIN, CA_ADDR …): they go into ``cluster.env``."""
    command: tuple[str, ...] = ()
    """The sidecar as a child process; empty where something else, like systemd, runs it."""
    drain_seconds: Seconds = 10.0

    @model_validator(mode="after")
    def _command_needs_directory(self) -> "SidecarSettings":
        if self.command and self.directory is None:
            raise ValueError("sidecar.command needs sidecar.directory, where its bootstrap is written")
        return self


class AgentSettings(ServiceSettings):
    """Everything ``muster agent`` takes."""

    namespace: str
    workload_group: str
    identity: IdentitySettings
    report: ReportSettings = ReportSettings()
    pacing: PacingSettings = PacingSettings()
    sidecar: SidecarSettings = SidecarSettings()
    state_dir: Path | None = None
    """Where the tails of hash chains are kept; the user's directory for state, unless given."""


Group = Annotated[str, StringConstraints(pattern=r"^[^/]+/[^/]+$")]
"""``<namespace>/<workload group>``."""


class FleetSettings(ServiceSettings):
    """Everything ``muster fleet`` takes."""

    size: Annotated[int, Field(ge=1, le=1_000_000)] = 12
    groups: Annotated[tuple[Group, ...], Field(min_length=1)] = ("bookinfo/ratings",)
    seed: int = 1
    """The same seed gives the same machines; another one gives others."""
    start_per_second: Annotated[float, Field(gt=0)] = 500.0
    labels: dict[str, str] = Field(default_factory=lambda: {"version": "v5"})
    istio_version: str | None = "1.29.0"
    pacing: PacingSettings = PacingSettings()
    progress_seconds: Seconds = 5.0
    issuer: Path | None = None
    """Folder of the mint that signs who the machines are; without it they prove nothing, and nobody admits them."""
    state_dir: Path | None = None
    """Where the tails of hash chains are kept for the next run of the same fleet; nowhere, unless given."""

    @field_validator("groups", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value
