"""Settings of the sink."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.runtime.config import Section, ServiceSettings


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
    drain_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long what is being reconciled may take after SIGTERM."""
