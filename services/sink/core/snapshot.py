"""The snapshot: the WorkloadGroup as it is when a workload joins, and whether it still is."""

from schemas.resource import GroupSnapshot
from services.sink.core.objects import Group


def snapshot(group: Group) -> GroupSnapshot:
    """Return the group as it is now, to be kept for as long as the registration lasts."""
    return GroupSnapshot(
        name=group.name,
        uid=group.uid,
        generation=group.generation,
        resource_version=group.resource_version,
        spec=dict(group.spec),
    )


def current(taken: GroupSnapshot, group: Group) -> bool:
    """Whether the group is the one the snapshot was taken of, unedited; a new group of its name is another."""
    return (taken.uid, taken.generation) == (group.uid, group.generation)
