"""Another machine shows the identity of a living one: what the WAR says of it, and for how long.

However often it tries, and from wherever, what is said changes only when it was over before: no storm of writes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.events import Address
from schemas.workloads import Workload


class Attempted(NamedTuple):
    """A record of ``muster.events`` by which a newcomer was refused: its broker time, and where it stands."""

    at: datetime
    partition: int
    revision: int


class Duplicate(NamedTuple):
    """The newcomer that was refused: the addresses it had first, its last attempt, and until when it is shown."""

    addresses: str
    last: Attempted
    until: datetime


def seen(known: Duplicate | None, addresses: Sequence[Address], attempted: Attempted, shown: timedelta) -> Duplicate:
    """Return what is known after a newcomer was refused."""
    until = attempted.at + shown
    if known is None or known.until <= attempted.at:
        return Duplicate(_said(addresses), attempted, until)
    if until < known.until:
        return known
    return known._replace(last=attempted, until=until)


def message(duplicate: Duplicate | None, workload: Workload, now: datetime) -> str | None:
    """Return what to say of it on the WAR of a workload; None: nothing, its time is over, or it came before this state.

    A state after the last attempt may well be the newcomer's own: it has waited for the end of the session before.
    """
    if duplicate is None or now >= duplicate.until:
        return None
    last = duplicate.last
    if last.partition == workload.partition and last.revision < workload.revision:
        return None
    living = _said(workload.workload.registration.host.addresses)
    return (
        f"a machine at {duplicate.addresses} shows the same identity and was refused; "
        f"the one at {living} is connected and stays registered"
    )


def _said(addresses: Sequence[Address]) -> str:
    return ", ".join(one.ip for one in addresses[:4]) or "an unknown address"
