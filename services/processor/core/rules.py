"""The numbers by which the roll is called, fixed for the life of a processor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Counts are of windows, shares are of a partition's connected workloads (DESIGN.md, rule 2 and "Brake")."""

    window_ms: int = 10_000
    """How far apart the owner appends its ticks; one that comes sooner than half of this is ignored."""
    missed_windows: int = 3
    """Absent from so many successive windows: not connected."""
    grace_windows: int = 30
    """Not connected for so many windows more: removed."""
    brake_share: float = 0.55
    """If more than this share fell silent within the grace, nobody is marked absent or removed (ADR 0013)."""
    brake_least: int = 10
    """Fewer than this many never brake: a handful of machines may well go together."""
    brake_release_share: float = 0.25
    """The brake holds until no more than this share of those who fell silent is silent still."""
    forget_windows: int = 8640
    """A removed workload is remembered for so many windows (a day of 10 s), to fence its late events."""
    superseded_kept: int = 8
    """How many earlier sessions of a workload are remembered, to ignore a late connect of one of them."""
