"""What a run came to: durations by percentile, what the steady state costs, and what happened to each stage."""

from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """Durations in seconds: half of them are at most ``p50``, and so on."""

    size: int
    p50: float
    p99: float
    longest: float


def spread(durations: Sequence[float]) -> Spread:
    """Return how durations lie, each the smallest that so many are not above. Raises ValueError where there are none.

    >>> spread([3.0, 1.0, 2.0])
    Spread(size=3, p50=2.0, p99=3.0, longest=3.0)
    """
    if not durations:
        raise ValueError("nothing was timed")
    inorder = sorted(durations)
    return Spread(len(inorder), _at(inorder, 50), _at(inorder, 99), inorder[-1])


def _at(inorder: Sequence[float], percent: int) -> float:
    return inorder[-(-len(inorder) * percent // 100) - 1]


class Cell(NamedTuple):
    """So many workloads, each with a heartbeat every so many seconds."""

    workloads: int
    heartbeat_s: float

    @property
    def window_ms(self) -> int:
        """Two heartbeats to a window, as in the defaults."""
        return round(self.heartbeat_s * 2000)

    @property
    def per_second(self) -> float:
        """Heartbeats per second."""
        return self.workloads / self.heartbeat_s


class Turn(NamedTuple):
    """All of something happened to workloads: how long until Kubernetes said so of all, and what was written."""

    workloads: int
    heard_s: float
    """Until the last of the records that decided it was in the log."""
    seconds: float
    told: Spread
    """From when it happened until the processor's verdict was in ``muster.workloads``, for each workload."""
    each: Spread
    """From when it happened until a client of Kubernetes saw it, for each workload."""
    writes: int

    @property
    def writes_per_second(self) -> float:
        """What the sink wrote to Kubernetes meanwhile."""
        return self.writes / self.seconds


class Steady(NamedTuple):
    """A stretch of time in which nothing happens but heartbeats."""

    seconds: float
    heartbeats_per_second: float
    writes: int
    largest_lag: int
    """Records that the processor had not folded, at most, in all partitions together."""
    cpu: dict[str, float]
    """CPU seconds per second of each process; ``bare consumer`` is the reference, which looks at nothing."""
    memory: dict[str, int]
    """Resident bytes of each process."""
    grown: dict[str, int]
    """Of them, what was not there before the workloads were."""
    crept: dict[str, int]
    """Of them, what was not there when the stretch began: what a leak would be seen by."""


class Detection(NamedTuple):
    """Agents that died without a goodbye: from their death until it was said."""

    told: Spread
    """Until the processor's verdict was in ``muster.workloads``: what the bound is of."""
    connected: Spread
    """Until the registration said that the agent is not connected."""
    endpoint: Spread
    """Until the endpoint got no more traffic."""
    bound_s: float


class Recovery(NamedTuple):
    """A processor that was killed with SIGKILL and started again at once."""

    ready_s: float
    caught_up_s: float
    """Until it had folded everything that was in the log."""


class Outcome(NamedTuple):
    """Everything that was measured of one cell."""

    cell: Cell
    bare_writes_per_second: float
    """What the API server takes of a client that does nothing but create WorkloadEntries, as many at a time."""
    joined: Turn
    steady: Steady
    detection: Detection
    recovery: Recovery
    deleted: Turn
    left: Turn
    returned: Turn
    wronged: int
    """How often a workload whose agent was there was called something else than connected."""
