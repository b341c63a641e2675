"""The introduction of this machine: what its identity's source found, under what the configuration says."""

from importlib.metadata import version

from schemas.codec import MAX_EVENT_BYTES
from schemas.events import (
    AddressType,
    AgentSoftware,
    Host,
    Introduction,
    Istio,
    Registration,
    Settings,
    Sidecar,
    WorkloadReport,
)
from services.agent.identity.source import Machine
from services.agent.settings import ReportSettings
from services.runtime.config import ConfigError

AGENT = AgentSoftware(version=f"v{version('muster')}")
_ENVELOPE_BYTES = 1024
"""What an event has around its introduction, generously."""


def introduce(namespace: str, group: str, machine: Machine, report: ReportSettings) -> Introduction:
    """Return the introduction, or raise ``ConfigError`` where the processor could not take it."""
    istio_version = report.istio_version or machine.istio_version
    introduction = Introduction(
        namespace=namespace,
        group=group,
        identity=machine.identity,
        registration=Registration(
            agent=AGENT,
            host=Host(addresses=machine.addresses if report.addresses is None else report.addresses),
            settings=Settings(connected_over=report.connected_over or machine.connected_over or AddressType.VPC),
            sidecar=Sidecar(istio=Istio(version=istio_version) if istio_version else None),
            workload=WorkloadReport(labels={**machine.labels, **report.labels}),
        ),
    )
    if (fault := introduction.key.fault()) is not None:
        raise ConfigError(f"{fault}; see namespace, workload_group and identity")
    if (size := len(introduction.to_json())) > MAX_EVENT_BYTES - _ENVELOPE_BYTES:
        raise ConfigError(
            f"the registration has {size} bytes; an event has room for {MAX_EVENT_BYTES - _ENVELOPE_BYTES}: "
            "report fewer or shorter labels"
        )
    return introduction
