"""What a benchmark measured: samples of one process, the steady rate between them, medians over rounds."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple


class Sample(NamedTuple):
    """How far a process had come: ``at`` and ``cpu`` in seconds (``cpu`` is its user and system time)."""

    at: float
    cpu: float
    records: int


class Rate(NamedTuple):
    """A steady rate: records per second of wall time, and CPU microseconds of the process per record."""

    per_second: float
    cpu_us: float

    @property
    def per_core(self) -> float:
        """Records per second that one core would do: the reciprocal of the CPU time."""
        return 1e6 / self.cpu_us


def steady(samples: Sequence[Sample], beyond: int = 0) -> Rate:
    """Return the rate from the first sample above ``beyond`` records to the last.

    So starting up, the connects that a log begins with, and ending stay outside. Raises ValueError where the samples
    are too few to tell.
    """
    working = [sample for sample in samples if sample.records > beyond]
    if len(working) < 2 or working[-1].records <= working[0].records:  # noqa: PLR2004 - two ends of a line
        raise ValueError(f"{len(working)} samples beyond {beyond} records: give it more heartbeats")
    first, last = working[0], working[-1]
    records = last.records - first.records
    return Rate(records / (last.at - first.at), (last.cpu - first.cpu) / records * 1e6)


def medians(rounds: Mapping[str, Sequence[Rate]]) -> dict[str, Rate]:
    """Return each contestant's median rate over all rounds."""
    return {
        name: Rate(median(r.per_second for r in rates), median(r.cpu_us for r in rates))
        for name, rates in rounds.items()
    }


class Verdict(NamedTuple):
    """The processor beside another contestant: how many times as fast, by wall time and by CPU time."""

    beside: str
    wall: float
    cpu: float
    wanted: float

    @property
    def met(self) -> bool:
        """Whether it is as fast as wanted, both ways."""
        return min(self.wall, self.cpu) >= self.wanted


def compare(figures: Mapping[str, Rate], processor: str, wanted: Mapping[str, float]) -> list[Verdict]:
    """Return how the processor stands beside each of ``wanted`` (the ratio it should reach)."""
    own = figures[processor]
    return [
        Verdict(name, own.per_second / figures[name].per_second, figures[name].cpu_us / own.cpu_us, ratio)
        for name, ratio in wanted.items()
    ]
