"""The WorkloadEntry of a registered workload: the group's snapshot with what the agent reported put in.

Labels of the workload win over the group's, as istiod has it in its own auto-registration.
"""

from collections.abc import Mapping
from typing import Any

from schemas import resource
from schemas.events import Registration
from schemas.resource import WarSpec
from services.sink.core.health import CHECKED
from services.sink.core.objects import ISTIO_API, MANAGED_BY, WAR_API, Entry, War, owner_reference

ISTIO_OWN = "istio.io/"
"""Prefix of the annotations by which istiod recognizes entries as its own, and cleans them up."""

RESTORED = f"{resource.GROUP}/restored-"
"""Prefix of the annotations of an entry that an operator brought back; see ``core.undo``."""


def address(registration: Registration) -> str | None:
    """Return the address peers should use, or None where the agent reported none of that type."""
    over = registration.settings.connected_over
    return next((one.ip for one in registration.host.addresses if one.type is over), None)


def manifest(war: War, spec: WarSpec) -> dict[str, Any] | None:
    """Return the entry of a WAR, or None where the registration has no address to use."""
    return made(war.namespace, war.name, spec, owner_reference(WAR_API, resource.KIND, war.name, war.uid))


def made(namespace: str, name: str, spec: WarSpec, owner: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the entry of a registration of this spec, collected with ``owner``; None where it has no address."""
    ip = address(spec.registration)
    if ip is None:
        return None
    group = spec.workload_group.spec
    template = dict(group.get("template") or {})
    metadata = group.get("metadata") or {}
    labels = {
        **(template.get("labels") or {}),
        **(metadata.get("labels") or {}),
        **spec.registration.workload.labels,
    }
    content = {**template, "address": ip}
    if labels:
        content["labels"] = labels
    if spec.identity.aws is not None:
        content["locality"] = f"{spec.identity.aws.region}/{spec.identity.aws.zone}"
    return {
        "apiVersion": ISTIO_API,
        "kind": "WorkloadEntry",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {**(metadata.get("labels") or {}), **dict([MANAGED_BY])},
            "annotations": _annotations(group, metadata.get("annotations") or {}),
            "ownerReferences": [dict(owner)],
        },
        "spec": content,
    }


def _annotations(group: Mapping[str, Any], template: Mapping[str, str]) -> dict[str, str]:
    # Whose sidecars probe it is checked from the beginning, as in istiod's own auto-registration; see ``core.health``.
    probed = {CHECKED: "true"} if group.get("probe") is not None else {}
    return {**probed, **{name: value for name, value in template.items() if not name.startswith(ISTIO_OWN)}}


def merged(entry: Entry, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the entry brought to what is wanted, or None where it is so; others' labels and annotations stay."""
    has = entry.manifest["metadata"]
    wants = wanted["metadata"]
    # What a restore wrote there ends with it: an entry that is adopted is an entry like any other.
    kept = {name: value for name, value in (has.get("annotations") or {}).items() if not name.startswith(RESTORED)}
    owners = {one["uid"] for one in has.get("ownerReferences") or ()}
    metadata = {
        **has,
        "labels": {**(has.get("labels") or {}), **wants["labels"]},
        "annotations": {**kept, **wants["annotations"]},
        "ownerReferences": wants["ownerReferences"],
    }
    same = (
        entry.manifest.get("spec") == wanted["spec"]
        and owners == {wants["ownerReferences"][0]["uid"]}
        and metadata["labels"] == (has.get("labels") or {})
        and metadata["annotations"] == (has.get("annotations") or {})
    )
    return None if same else {**entry.manifest, "metadata": metadata, "spec": wanted["spec"]}
