"""Kubernetes in memory, for the sink's port: held to the contract of the real one in tests/contract.

It keeps what the sink relies on: resourceVersions that rise, uids, preconditions, generations, the status
subresource, finalizers, watches from a version with bookmarks, and the collection of what an owner leaves behind.
"""

import asyncio
import copy
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from services.sink.core.objects import Manifest
from services.sink.ports import (
    AlreadyExistsError,
    ConflictError,
    Exactly,
    GoneError,
    Kind,
    Listed,
    NotFoundError,
    Seen,
)

Place = tuple[Kind, str, str]
_KINDS = {
    Kind.NAMESPACE: "Namespace",
    Kind.GROUP: "WorkloadGroup",
    Kind.WAR: "WorkloadAutoRegistration",
    Kind.ENTRY: "WorkloadEntry",
    Kind.POLICY: "OnboardingPolicy",
    Kind.ATTEMPT: "OnboardingAttempt",
}
WITH_STATUS = (Kind.WAR, Kind.ENTRY)
"""Kinds whose status is a subresource."""
DELETING = "deletionTimestamp"


class MemoryCluster:
    """The port's fake: collects the orphaned at once, where Kubernetes takes a moment."""

    def __init__(self, *namespaces: str, uid: Callable[[], str] = lambda: str(uuid.uuid4())) -> None:
        self.uid = uid
        self.objects: dict[Place, Manifest] = {}
        self.writes = 0
        """Writes that changed something."""
        self.before: Callable[[str], None] = lambda _what: None
        """Called before each write; what it raises is the write's outcome, and nothing was written."""
        self.after: Callable[[str], None] = lambda _what: None
        """Called after each write; what it raises reaches the caller though it was written."""
        self._version = 0
        self._compacted = 0
        self._history: list[tuple[int, Kind, Seen]] = []
        self._news = asyncio.Event()
        for namespace in namespaces:
            self.add_namespace(namespace)

    # -- the port ----------------------------------------------------------------------------------------------------

    async def list(self, kind: Kind) -> Listed:
        """Return all objects of all namespaces."""
        items = [copy.deepcopy(item) for (of, _, _), item in sorted(self.objects.items(), key=_name) if of is kind]
        return Listed(items, str(self._version))

    async def watch(self, kind: Kind, resource_version: str) -> AsyncIterator[Seen]:
        """Yield what changes from there on, for ever."""
        told = int(resource_version)
        while True:
            if told < self._compacted:
                raise GoneError(f"too old resource version: {told} ({self._compacted})")
            quiet = told
            for version, of, seen in [one for one in self._history if one[0] > told]:
                told = version
                if of is kind:
                    quiet = told
                    yield copy.deepcopy(seen)
            if quiet != told:
                yield bookmark(told)
            self._news.clear()
            await self._news.wait()

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create an object."""
        self.before("create")
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        if (Kind.NAMESPACE, "", namespace) not in self.objects:
            raise NotFoundError(f'namespaces "{namespace}" not found')
        if (kind, namespace, name) in self.objects:
            raise AlreadyExistsError(f'{kind.value.plural} "{name}" already exists')
        item: dict[str, Any] = copy.deepcopy(dict(manifest))
        if kind in WITH_STATUS:
            item.pop("status", None)
        item["metadata"] |= {"uid": self.uid(), "generation": 1, "creationTimestamp": "2026-11-23T00:00:00Z"}
        stored = self._store(kind, "ADDED", item)
        self._collect()
        self.after("create")
        return stored

    async def update(self, kind: Kind, manifest: Manifest, *, status: bool = False) -> Manifest:
        """Replace an object, or only its status, if uid and resourceVersion are still those of the manifest."""
        what = "status" if status else "update"
        self.before(what)
        about = manifest["metadata"]
        known = self._known(kind, Exactly(about["namespace"], about["name"], about["uid"], about["resourceVersion"]))
        item: dict[str, Any] = copy.deepcopy({**known, "status": manifest["status"]} if status else dict(manifest))
        if kind in WITH_STATUS and not status:
            item.pop("status", None)
            item |= {"status": known["status"]} if "status" in known else {}
        item["metadata"]["generation"] = known["metadata"]["generation"] + (item.get("spec") != known.get("spec"))
        item["metadata"].pop(DELETING, None)
        item["metadata"] |= {DELETING: known["metadata"][DELETING]} if DELETING in known["metadata"] else {}
        stored: Manifest = copy.deepcopy(known) if item == known else self._stored(kind, item)
        self._collect()
        self.after(what)
        return stored

    async def delete(self, kind: Kind, which: Exactly) -> None:
        """Delete an object, if uid and resourceVersion are still these."""
        self.before("delete")
        self._known(kind, which)
        self.remove(kind, which.namespace, which.name)
        self.after("delete")

    # -- what others do ----------------------------------------------------------------------------------------------

    def add_namespace(self, name: str) -> None:
        """Create a namespace."""
        self._store(Kind.NAMESPACE, "ADDED", {"metadata": {"name": name, "uid": self.uid()}})

    def put(self, kind: Kind, manifest: Manifest) -> None:
        """Create or replace an object as ``kubectl apply`` does."""
        about = manifest["metadata"]
        known = self.objects.get((kind, about["namespace"], about["name"]))
        kept = known["metadata"] if known is not None else {"uid": self.uid(), "generation": 1}
        item = {**copy.deepcopy(dict(manifest)), "metadata": {**kept, **about}}
        self._store(kind, "ADDED" if known is None else "MODIFIED", item)

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete as ``kubectl delete`` does: without preconditions, and with all that it owns.

        What has a finalizer is only marked, and gone once an update leaves it without one.
        """
        self._delete((kind, namespace, name))
        self._collect()

    def compact(self) -> None:
        """Forget what happened until now, as etcd does after minutes."""
        self._compacted = self._version
        self._history.clear()
        self._news.set()

    # -- how -----------------------------------------------------------------------------------------------------------

    def _known(self, kind: Kind, which: Exactly) -> Manifest:
        known = self.objects.get((kind, which.namespace, which.name))
        if known is None:
            raise NotFoundError(f'{kind.value.plural} "{which.name}" not found')
        found = known["metadata"]
        if (found["uid"], found["resourceVersion"]) != (which.uid, which.resource_version):
            raise ConflictError(f"it is {found['uid']} in version {found['resourceVersion']}")
        return known

    def _store(self, kind: Kind, event: str, item: Manifest) -> Manifest:
        api = "/".join(part for part in kind.value[:2] if part)
        item = {"apiVersion": api, "kind": _KINDS[kind], **item}
        self.objects[kind, item["metadata"].get("namespace", ""), item["metadata"]["name"]] = item
        self._tell(kind, event, item)
        return copy.deepcopy(item)

    def _stored(self, kind: Kind, item: Manifest) -> Manifest:
        """Replace an object, or delete it where only a finalizer had kept it."""
        about = item["metadata"]
        if DELETING not in about or about.get("finalizers"):
            return self._store(kind, "MODIFIED", item)
        gone = self.objects[kind, about["namespace"], about["name"]] = copy.deepcopy(item)
        self._delete((kind, about["namespace"], about["name"]))
        return copy.deepcopy(gone)

    def _delete(self, place: Place) -> None:
        item = self.objects[place]
        if not item["metadata"].get("finalizers"):
            self._tell(place[0], "DELETED", self.objects.pop(place))
        elif DELETING not in item["metadata"]:
            marked: dict[str, Any] = copy.deepcopy(dict(item))
            marked["metadata"] |= {DELETING: "2026-11-23T00:00:00Z", "deletionGracePeriodSeconds": 0}
            marked["metadata"]["generation"] += 1
            self._store(place[0], "MODIFIED", marked)

    def _tell(self, kind: Kind, event: Any, item: Manifest) -> None:  # noqa: ANN401 - one of Seen's words
        self.writes += 1
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        self._history.append((self._version, kind, Seen(event, copy.deepcopy(item))))
        self._news.set()

    def _collect(self) -> None:
        """Delete what has owners, none of which is there."""
        while place := self._orphan():
            self._delete(place)

    def _orphan(self) -> Place | None:
        uids = {item["metadata"]["uid"] for item in self.objects.values()}
        for place, item in self.objects.items():
            owners = item["metadata"].get("ownerReferences") or ()
            if owners and DELETING not in item["metadata"] and not any(owner["uid"] in uids for owner in owners):
                return place
        return None


def bookmark(version: int) -> Seen:
    """Return the event that only moves a watch's version."""
    return Seen("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def _name(entry: tuple[Place, Manifest]) -> tuple[str, str]:
    return entry[0][1:]
