"""Another machine shows the identity of a living one: what the WAR says of it, and for how long.

However often it tries, and from wherever, what is said changes only when it was over before: no storm of writes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.events import Address, Introduction
from schemas.workloads import Workload


class Duplicate(NamedTuple):
    """The newcomer that was refused: its first session and addresses, and until when it is shown."""

    session: str
    addresses: str
    until: datetime


def seen(known: Duplicate | None, who: Introduction, session: str, at: datetime, shown: timedelta) -> Duplicate:
    """Return what is known after a newcomer was refused, by a record of broker time ``at``."""
    if known is None or known.until <= at:
        return Duplicate(session, _said(who.registration.host.addresses), at + shown)
    return known._replace(until=max(at + shown, known.until))


def message(duplicate: Duplicate | None, workload: Workload, now: datetime) -> str | None:
    """Return what to say of it on the WAR of a workload; None: nothing, it is over or has become this session."""
    if duplicate is None or now >= duplicate.until or duplicate.session == workload.session:
        return None
    living = _said(workload.workload.registration.host.addresses)
    return (
        f"a machine at {duplicate.addresses} shows the same identity and was refused; "
        f"the one at {living} is connected and stays registered"
    )


def _said(addresses: Sequence[Address]) -> str:
    return ", ".join(one.ip for one in addresses[:4]) or "an unknown address"
