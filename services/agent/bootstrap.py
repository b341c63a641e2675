"""The sidecar's bootstrap: Istio's ``cluster.env``, from the registration and its snapshot of the WorkloadGroup.

The variables are those ``istioctl x workload entry configure`` writes and ``istio-start.sh`` reads
(https://istio.io/latest/docs/setup/install/virtual-machine/). Two differ on purpose: POD_NAME is the name of the
WorkloadAutoRegistration, so that the proxy's node id and ``istioctl proxy-status`` show ``<war name>.<namespace>``;
ISTIO_META_AUTO_REGISTER_GROUP is absent, because the WorkloadEntry is Muster's and istiod must not make another.
"""

import json
import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.events import Registration
from schemas.registrations import Registered

FILE = "cluster.env"
_CANONICAL_NAME = "service.istio.io/canonical-name"
_CANONICAL_REVISION = "service.istio.io/canonical-revision"
_EXCLUDED_PORTS = "22,15090,15021,15020"
"""ssh, and the ports of Istio's own agent: never captured, so that the machine stays within reach."""


def cluster_env(registered: Registered, registration: Registration, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the sidecar; ``extra`` are the operator's and give way to none of ours."""
    group, namespace = registered.snapshot.name, registered.namespace
    template: dict[str, Any] = registered.snapshot.spec.get("template") or {}
    metadata: dict[str, Any] = registered.snapshot.spec.get("metadata") or {}
    ports: dict[str, int] = template.get("ports") or {}
    labels = {
        **(metadata.get("labels") or {}),
        **(template.get("labels") or {}),
        **registration.workload.labels,
    }
    service = _first(labels, _CANONICAL_NAME, "app.kubernetes.io/name", "app") or group
    revision = _first(labels, _CANONICAL_REVISION, "app.kubernetes.io/version", "version") or "latest"
    labels |= {_CANONICAL_NAME: service, _CANONICAL_REVISION: revision}
    variables = {
        "CANONICAL_REVISION": revision,
        "CANONICAL_SERVICE": service,
        "ISTIO_INBOUND_PORTS": ",".join(str(port) for port in ports.values()) or "*",
        "ISTIO_LOCAL_EXCLUDE_PORTS": _EXCLUDED_PORTS,
        "ISTIO_METAJSON_LABELS": json.dumps(labels, sort_keys=True, separators=(",", ":")),
        "ISTIO_META_NETWORK": str(template.get("network") or ""),
        "ISTIO_META_WORKLOAD_NAME": group,
        "ISTIO_NAMESPACE": namespace,
        "ISTIO_SERVICE": f"{group}.{namespace}",
        "ISTIO_SERVICE_CIDR": "*",
        "POD_NAME": registered.name,
        "POD_NAMESPACE": namespace,
        "SERVICE_ACCOUNT": str(template.get("serviceAccount") or "default"),
    }
    if ports:
        pod_ports = [{"name": name, "containerPort": port} for name, port in sorted(ports.items())]
        variables["ISTIO_META_POD_PORTS"] = json.dumps(pod_ports, separators=(",", ":"))
    over = registration.settings.connected_over
    address = next((a.ip for a in registration.host.addresses if a.type is over), None)
    if address is not None:
        variables["ISTIO_SVC_IP"] = address
    return {**extra, **variables}


def node_id(variables: Mapping[str, str]) -> str:
    """Return the id the proxy shows to istiod; its third part is what ``istioctl proxy-status`` lists."""
    name, namespace = variables["POD_NAME"], variables["POD_NAMESPACE"]
    return f"sidecar~{variables.get('ISTIO_SVC_IP', '')}~{name}.{namespace}~{namespace}.svc.cluster.local"


def write(directory: Path, variables: Mapping[str, str]) -> bool:
    """Write ``cluster.env`` whole or not at all; say whether it is different from what was there."""
    content = "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
    target = directory / FILE
    if target.is_file() and target.read_text(encoding="utf-8") == content:
        return False
    directory.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=f".{FILE}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # The sidecar runs as a user of its own.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def _first(labels: Mapping[str, str], *names: str) -> str | None:
    return next((labels[name] for name in names if labels.get(name)), None)
