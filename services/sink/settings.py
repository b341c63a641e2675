"""Settings of the sink."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.runtime.config import Section, ServiceSettings
from services.sink.core.fleet import Limits


class AttemptSettings(Section):
    """How refusals are shown in Kubernetes."""

    rewrite_seconds: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """An OnboardingAttempt is written at most so often; attempts in between are counted."""
    per_namespace: Annotated[int, Field(ge=1, le=10_000)] = 100
    """At most so many of each standing are shown in a namespace."""
    retention_seconds: Annotated[float, Field(ge=1, le=7 * 86400)] = 3600.0
    """One is deleted so long after the last attempt."""
    duplicate_shown_seconds: Annotated[float, Field(ge=1, le=86400)] = 300.0
    """The condition DuplicateIdentity stays for so long after another machine was refused."""


class FleetSettings(Section):
    """When so much of the fleet is silent that its observer is doubted (ADR 0016)."""

    silent_share: Annotated[float, Field(gt=0, le=1)] = 0.55
    """Nothing is taken from the silent where they are more than this share of all who did not say goodbye."""
    silent_least: Annotated[int, Field(ge=1, le=1_000_000)] = 3
    """At least so many; fewer may just be dead."""
    release_share: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Until no more than this share of those who were silent is."""
    respite_seconds: Annotated[float, Field(ge=0, le=86400)] = 60.0
    """And so long after that, for those who come back later than most."""

    def limits(self) -> Limits:
        """Return what the core is told."""
        respite = timedelta(seconds=self.respite_seconds)
        return Limits(self.silent_share, self.silent_least, self.release_share, respite)


class SinkSettings(ServiceSettings):
    """Everything the sink can be told."""

    kubeconfig: Path | None = None
    """Without it KUBECONFIG, ~/.kube/config, or a pod's service account."""
    context: str | None = None
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    """Workloads reconciled at the same time."""
    removals_per_second: Annotated[float, Field(gt=0, le=1000)] = 10.0
    """At most so many registrations are removed; a flood of removals leaves time to stop it."""
    writes_per_second: Annotated[float, Field(gt=0, le=10_000)] = 200.0
    """The write budget: at most so many creations, updates and deletions are asked of Kubernetes."""
    write_burst: Annotated[int, Field(ge=1, le=100_000)] = 400
    """So many of them may come at once after a quiet time."""
    watch_seconds: Annotated[int, Field(ge=1, le=3600)] = 290
    """The API ends a watch after this; the next one goes on from the last bookmark."""
    resync_seconds: Annotated[float, Field(ge=1, le=86400)] = 300.0
    """How often every workload is looked at again, in case anything was missed."""
    attempts: AttemptSettings = AttemptSettings()
    fleet: FleetSettings = FleetSettings()
    drain_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long what is being reconciled may take after SIGTERM."""
