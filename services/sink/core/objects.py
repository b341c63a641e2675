"""What is observed in Kubernetes, as values: namespaces by name, groups, WARs and entries with what the plan reads.

A WAR whose spec or status is not ours to understand is observed without it, never as absent.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self, TypeVar

from pydantic import ValidationError

from schemas import resource
from schemas.message import Message
from schemas.resource import WarSpec, WarStatus

Manifest = Mapping[str, Any]
"""A Kubernetes object as the API speaks it."""

MANAGED_BY = ("app.kubernetes.io/managed-by", "muster")
"""The label of every object the sink makes."""

WAR_API = f"{resource.GROUP}/{resource.API_VERSION}"
ISTIO_API = "networking.istio.io/v1"

M = TypeVar("M", bound=Message)


class Namespace(NamedTuple):
    """A namespace is only known to be there."""

    name: str
    resource_version: str

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the value of a manifest."""
        return cls(manifest["metadata"]["name"], manifest["metadata"]["resourceVersion"])


class Group(NamedTuple):
    """A WorkloadGroup of Istio's."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    labels: Mapping[str, str]
    spec: Manifest

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the value of a manifest."""
        meta = manifest["metadata"]
        return cls(
            meta["namespace"],
            meta["name"],
            meta["uid"],
            meta.get("generation", 0),
            meta["resourceVersion"],
            meta.get("labels") or {},
            manifest.get("spec") or {},
        )


class War(NamedTuple):
    """A WorkloadAutoRegistration; ``spec`` and ``status`` are None where they are not ours to understand."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    spec: WarSpec | None
    status: WarStatus | None
    manifest: Manifest

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the value of a manifest."""
        meta = manifest["metadata"]
        return cls(
            meta["namespace"],
            meta["name"],
            meta["uid"],
            meta.get("generation", 0),
            meta["resourceVersion"],
            "deletionTimestamp" in meta,
            _understood(WarSpec, manifest.get("spec")),
            _understood(WarStatus, manifest.get("status") or {}),
            manifest,
        )


class Entry(NamedTuple):
    """A WorkloadEntry of Istio's; ``owner`` is the uid of the WAR that owns it, ``ours`` that the sink made it."""

    namespace: str
    name: str
    resource_version: str
    deleting: bool
    ours: bool
    owner: str | None
    manifest: Manifest

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the value of a manifest."""
        meta = manifest["metadata"]
        label, value = MANAGED_BY
        owners = [one["uid"] for one in meta.get("ownerReferences") or () if one["kind"] == resource.KIND]
        return cls(
            meta["namespace"],
            meta["name"],
            meta["resourceVersion"],
            "deletionTimestamp" in meta,
            (meta.get("labels") or {}).get(label) == value,
            owners[0] if owners else None,
            manifest,
        )


def _understood(model: type[M], content: object) -> M | None:
    try:
        return model.model_validate(content)
    except ValidationError:
        return None


def owner_reference(api_version: str, kind: str, name: str, uid: str) -> dict[str, str]:
    """Return the reference by which Kubernetes collects the owned with its owner."""
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}
