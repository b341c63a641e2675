"""What came of many seeds, counted."""

from collections import Counter
from dataclasses import dataclass, field

from tests.sim.campaign import Outcome

FALSE = ("false verdict", "void window", "false absent", "false removal", "forged")


@dataclass
class Figures:
    """What came of many seeds."""

    seeds: int = 0
    events: int = 0
    virtual_ms: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    broken: dict[int, str] = field(default_factory=dict)

    def take(self, outcome: Outcome) -> None:
        """Count one seed in."""
        self.seeds += 1
        self.events += outcome.events
        self.virtual_ms += outcome.at_ms
        self.faults.update(fault.kind for fault in outcome.faults)
        self.verdicts.update(outcome.verdicts)
        if outcome.broken:
            self.broken[outcome.seed] = outcome.broken

    @property
    def false(self) -> int:
        """How many worlds had a verdict that nobody had earned."""
        return sum(words.startswith(FALSE) for words in self.broken.values())

    def printed(self, seconds: float, jobs: int) -> dict[str, object]:
        """Return the figures by the names under which they are printed."""
        return {
            "seeds": self.seeds,
            "seconds": round(seconds, 1),
            "jobs": jobs,
            "seedsPerSecond": round(self.seeds / seconds, 1),
            "virtualHours": round(self.virtual_ms / 3_600_000, 1),
            "events": self.events,
            "faultsInjected": self.faults.total(),
            "faults": dict(sorted(self.faults.items())),
            "transitions": self.verdicts.total(),
            "verdicts": dict(sorted(self.verdicts.items())),
            "falseVerdicts": self.false,
            "failedSeeds": {str(seed): words for seed, words in sorted(self.broken.items())},
        }
