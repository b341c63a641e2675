"""One OnboardingAttempt: what it says of a refusal, its name, and which of two records is newer (ADR 0012)."""

from typing import Any, NamedTuple, Self

from pydantic import ValidationError

from schemas import attempts
from schemas.attempts import AttemptSpec, AttemptStatus, Standing
from schemas.names import MAX_NAME, WorkloadKey, cut, is_name, spelled
from schemas.workloads import Workload
from services.sink.core.objects import MANAGED_BY, Manifest
from services.sink.core.refusal import Refusal

ATTEMPT_API = f"{attempts.GROUP}/{attempts.API_VERSION}"
_SUFFIX = {Standing.VERIFIED: "", Standing.UNVERIFIED: "--unverified", Standing.DUPLICATE: "--duplicate"}
"""Who proved nothing must not write over what is said of who did."""

Place = tuple[str, str]
"""Namespace and name."""


class Attempt(NamedTuple):
    """An OnboardingAttempt's content."""

    spec: AttemptSpec
    status: AttemptStatus

    @classmethod
    def of(cls, manifest: Manifest) -> Self | None:
        """Return the content of an object; None where it is not ours to understand."""
        try:
            return cls(
                AttemptSpec.model_validate(manifest.get("spec")), AttemptStatus.model_validate(manifest.get("status"))
            )
        except ValidationError:
            return None

    def manifest(self, namespace: str, name: str) -> dict[str, Any]:
        """Return the object to create."""
        return {
            "apiVersion": ATTEMPT_API,
            "kind": attempts.KIND,
            "metadata": {"namespace": namespace, "name": name, "labels": dict([MANAGED_BY])},
            **self.content(),
        }

    def content(self) -> dict[str, Any]:
        """Return what the sink writes of it."""
        return {
            "spec": self.spec.model_dump(mode="json", exclude_none=True),
            "status": self.status.model_dump(mode="json", exclude_none=True),
        }


def place(key: WorkloadKey, standing: Standing) -> Place:
    """Return where the attempts of a workload are shown; a name that Kubernetes does not take is spelled, and cut."""
    name, suffix = key.war_name, _SUFFIX[standing]
    if not is_name(name):
        name = f"{key.group}-{spelled(key.identity)}"
    return key.namespace, cut(name, MAX_NAME - len(suffix)) + suffix


def place_of(refusal: Refusal) -> Place:
    """Return where a refusal is shown."""
    who = refusal.who
    return place(who.key._replace(identity=who.name), refusal.standing)


def place_told(namespace: str, spec: AttemptSpec) -> Place:
    """Return where an attempt of this content stands."""
    return place(WorkloadKey(namespace, spec.workload_group, claimed(spec)), spec.standing)


def claimed(spec: AttemptSpec) -> str:
    """Return the name of the identity an attempt was made under."""
    return spec.identity.name if spec.identity is not None else spec.claimed or ""


def is_newer(refusal: Refusal, than: AttemptStatus) -> bool:
    """Tell whether a refusal is of a later record; offsets of two partitions say nothing of each other."""
    if refusal.partition == than.partition:
        return refusal.revision > than.revision
    return refusal.at > than.last_at


def is_over(status: AttemptStatus | Refusal, joined: Workload) -> bool:
    """Tell whether an attempt came before the state with which its workload is registered now."""
    if status.partition == joined.partition:
        return status.revision <= joined.revision
    return (status.last_at if isinstance(status, AttemptStatus) else status.at) <= joined.since


def refusal_content(refusal: Refusal) -> Attempt:
    """Return what is shown of the first refusal of a workload."""
    who = refusal.who
    identity = who.identity
    if refusal.standing is Standing.UNVERIFIED and identity is not None and identity.jwt is not None:
        # Of a claim nobody proved, what makes its name is enough: attributes may be as long as an event.
        identity = identity.model_copy(update={"jwt": identity.jwt.model_copy(update={"attributes": {}})})
    return Attempt(
        AttemptSpec(
            workload_group=who.key.group,
            identity=identity,
            claimed=who.name if identity is None else None,
            standing=refusal.standing,
        ),
        AttemptStatus(
            reason=refusal.reason,
            message=refusal.message,
            failed_clause=refusal.failed,
            session=refusal.session,
            addresses=who.addresses[: attempts.MOST_ADDRESSES],
            attempts=1,
            first_at=refusal.at,
            last_at=refusal.at,
            partition=refusal.partition,
            revision=refusal.revision,
        ),
    )


def same_workload(spec: AttemptSpec, refusal: Refusal) -> bool:
    """Tell whether an attempt is of the workload that was refused: two may have the same name."""
    return (spec.workload_group, claimed(spec)) == (refusal.who.key.group, refusal.who.name)


def ours(manifest: Manifest) -> bool:
    """Tell whether the sink made an object."""
    label, value = MANAGED_BY
    return (manifest["metadata"].get("labels") or {}).get(label) == value
