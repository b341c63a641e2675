"""Which workload is meant: the name of its object, its identity, or its whole key."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from schemas.names import WorkloadKey, parse_key

LISTED = 5
"""So many candidates are named in an error."""


class NoSuchWorkloadError(Exception):
    """Nobody has this name; the text names those with similar ones."""


class AmbiguousWorkloadError(Exception):
    """More than one has this name; the text names them."""


class Asked(NamedTuple):
    """What was asked for; a namespace of None is any."""

    name: str
    namespace: str | None

    @property
    def key(self) -> WorkloadKey | None:
        """The key, if a whole one was given."""
        return parse_key(self.name.encode())

    def means(self, key: WorkloadKey) -> bool:
        """Whether the name is one of this workload."""
        if self.namespace not in (None, key.namespace):
            return False
        return self.name in (key.war_name, key.identity, "/".join(key))


def chosen(asked: Asked, known: Iterable[WorkloadKey]) -> WorkloadKey:
    """Return the one that is meant. A whole key needs not be known: the log may know it still."""
    if asked.key is not None:
        if asked.namespace not in (None, asked.key.namespace):
            raise NoSuchWorkloadError(f"{asked.name} is not in namespace {asked.namespace}: leave out -n")
        return asked.key
    everyone = sorted(set(known))
    found = [key for key in everyone if asked.means(key)]
    if len(found) == 1:
        return found[0]
    if found:
        raise AmbiguousWorkloadError(
            f"{asked.name} is the name of {len(found)} workloads; say which, by -n or by its key:\n{_listed(found)}"
        )
    where = f" in namespace {asked.namespace}" if asked.namespace is not None else ""
    words = f"no workload is called {asked.name}{where}"
    near = _similar(asked, everyone)
    if near:
        words += f"; did you mean\n{_listed(near)}"
    raise NoSuchWorkloadError(
        f"{words}\nOne that was forgotten since is found by its whole key, <namespace>/<group>/<identity>."
    )


def _similar(asked: Asked, everyone: list[WorkloadKey]) -> list[WorkloadKey]:
    """Return who has the name elsewhere, has it as a part, or has one spelt much like it."""
    elsewhere = [key for key in everyone if asked.name in (key.war_name, key.identity)]
    parts = [key for key in everyone if asked.name in key.war_name]
    names = {name: key for key in everyone for name in (key.war_name, key.identity)}
    spelt = [names[name] for name in get_close_matches(asked.name, names, n=LISTED)]
    return list(dict.fromkeys([*elsewhere, *parts, *spelt]))


def _listed(keys: list[WorkloadKey]) -> str:
    lines = ["  " + "/".join(key) for key in keys[:LISTED]]
    if len(keys) > LISTED:
        lines.append(f"  and {len(keys) - LISTED} more")
    return "\n".join(lines)
