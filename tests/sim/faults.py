"""The faults of a seed: a list that can be shortened, so that a failure is told with as few as it needs."""

from random import Random
from typing import NamedTuple

STORM_MS = 15_000
"""Faults begin within this; the longest ends 6 s later."""

KINDS = {
    "agent.kill": 3, "agent.restart": 3, "agent.stop": 2, "agent.upgrade": 1, "agent.cut": 4, "agent.duplicate": 3,
    "agent.delay": 2, "agent.reorder": 2, "agent.skew": 2, "agent.all-cut": 3, "agent.wipe": 2,
    "agent.move": 3, "agent.return": 2, "agent.dusk": 3,
    "processor.crash": 5, "processor.cut": 3, "processor.pause": 2, "processor.zombie": 3, "processor.slow": 2,
    "processor.relic": 3, "processor.torn": 3, "processor.twin": 2,
    "group.rebalance": 2, "broker.outage": 2, "broker.mute": 2, "broker.compact": 1, "changelog.compact": 1,
    "sink.crash": 4, "sink.cut": 2, "sink.pause": 2, "sink.twin": 4,
    "api.outage": 2, "api.flaky": 3, "api.busy": 2, "api.compact": 2, "watch.lag": 3,
    "twin.start": 4, "twin.follow": 3,
    "forge.heartbeat": 2, "forge.goodbye": 2, "forge.connect": 2, "forge.steal": 2, "forge.replay": 3,
    "policy.delete": 2, "policy.edit": 2,
    "user.delete": 4, "user.edit": 3, "user.touch": 2, "user.regroup": 1, "user.release": 1,
    "user.hold": 2, "user.race": 2,
}  # fmt: skip
"""Every kind of fault, and how likely it is beside the others."""


class Fault(NamedTuple):
    """What befalls the world at ``at_ms`` for ``for_ms``; ``who`` selects among agents or processors."""

    at_ms: int
    kind: str
    who: int
    for_ms: int

    def __str__(self) -> str:
        return f"{self.at_ms:>6} ms  {self.kind:<18} of {self.who} for {self.for_ms} ms"


def plan(seed: int) -> list[Fault]:
    """Return the faults of a seed, in the order of time."""
    rng = Random(f"faults/{seed}")
    kinds = rng.choices(list(KINDS), list(KINDS.values()), k=rng.randint(1, 14))
    lengths = (200, 700, 1500, 3000, 6000)
    return sorted(
        Fault(rng.randrange(1000, STORM_MS, 50), kind, rng.randrange(6), rng.choice(lengths)) for kind in kinds
    )
